/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Remote commits: what the commit object of another repository says of the image in it. Internal to
   store/ and its tests. */

/* As untrusted as the bytes it was read from. */
typedef struct
{
  char *reference;       /* (owned): the name under which it is stored there */
  char *canonical;       /* (owned): where it was pulled from there */
  GBytes *manifest;      /* (owned) */
  GBytes *config;        /* (owned) */
  GPtrArray *signatures; /* (owned) (element-type GBytes): of the manifest */
  char *notice;          /* (owned) (nullable) */
  char *contents;        /* (owned): checksum of the root's dirtree */
  char *meta;            /* (owned): checksum of its dirmeta */
} AtmRemoteCommit;

/**
 * atm_remote_commit_parse:
 * @bytes: (borrowed): untrusted: a commit object
 * @commit_out: (out) (transfer full): what it says
 * @error: %ATM_STORE_ERROR_SITE if it is no commit, or not that of an image
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_remote_commit_parse (GBytes *bytes, AtmRemoteCommit **commit_out, GError **error);
void atm_remote_commit_free (AtmRemoteCommit *commit);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRemoteCommit, atm_remote_commit_free)
