/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/origin.h"
#include "store/store.h"

/* Remotes: images that a site has unpacked into an OSTree repository, for all its hosts
   (registry.md 6.6; man/atomic-site.7). */

/* What a site serves for an image, before any file of it. All of it is untrusted. */
typedef struct
{
  GBytes *commit;               /* (owned): the commit object; it says what image it is */
  GPtrArray *commit_signatures; /* (owned) (element-type GBytes): OpenPGP, beside the commit */
  GBytes *manifest;             /* (owned): what the commit holds */
  GPtrArray *signatures;        /* (owned) (element-type GBytes): of the manifest, likewise */
} AtmRemoteImage;

void atm_remote_image_free (AtmRemoteImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmRemoteImage, atm_remote_image_free)

/**
 * atm_remote_fetch:
 * @store: (nullable): the repository with the remote, which is as it was afterwards; not looked at
 *   where the origin has the path of a repository
 * @origin: (borrowed): of %ATM_TRANSPORT_OSTREE
 * @image_out: (out) (transfer full): the commit that stands there for the image now
 * @error: %ATM_STORE_ERROR_NOT_FOUND if there is no such remote or image; %ATM_STORE_ERROR_SITE if
 *   what is there is no image, or one of another name; %G_IO_ERROR
 *
 * Nothing but the commit and what stands beside it is read. libostree fetches it, by HTTP with
 * libcurl: keys of the remote such as “proxy”, “tls-ca-path” and “tls-client-cert-path” hold
 * (ostree.repo-config(5)).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_remote_fetch (AtmStore *store, const AtmOrigin *origin, AtmRemoteImage **image_out,
                           GCancellable *cancellable, GError **error);

/**
 * atm_remote_import:
 * @store: (borrowed): where the image goes; not while it has a transaction
 * @origin: (borrowed): of %ATM_TRANSPORT_OSTREE
 * @verdict: (borrowed): the proof that the commit in it may be imported, and its manifest
 * @commit_out: (out) (transfer full): checksum of the image commit: ours, with the tree of the
 *   site's
 * @error: %ATM_STORE_ERROR_SITE, %G_IO_ERROR; the store has no new name then
 *
 * Fetches the objects that the store has not, checking each against its name, and writes the ref of
 * the image. libostree checks the commit with the keys of the remote, too, if the remote has
 * “gpg-verify=true”. What the site has of single layers is left alone: a layer is looked up by the
 * digest of a blob that only its registry can be asked for, so that nobody else's word can give it
 * a name.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_remote_import (AtmStore *store, const AtmOrigin *origin, AtmVerdict *verdict,
                            char **commit_out, GCancellable *cancellable, GError **error);
