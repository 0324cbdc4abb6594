/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/remote-commit.h"

#include <string.h>

#include "store/store-private.h"
#include "util/error.h"

/* Children of %OSTREE_COMMIT_GVARIANT_FORMAT. */
#define COMMIT_METADATA 0
#define COMMIT_CONTENTS 6
#define COMMIT_META 7

void
atm_remote_commit_free (AtmRemoteCommit *commit)
{
  if (commit == NULL)
    return;
  g_free (commit->reference);
  g_free (commit->canonical);
  g_clear_pointer (&commit->manifest, g_bytes_unref);
  g_clear_pointer (&commit->config, g_bytes_unref);
  g_clear_pointer (&commit->signatures, g_ptr_array_unref);
  g_free (commit->notice);
  g_free (commit->contents);
  g_free (commit->meta);
  g_free (commit);
}

static gboolean
read_image (GVariant *metadata, AtmRemoteCommit *commit, GError **error)
{
  const char *manifest = NULL;
  guint32 format = 0;

  if (!g_variant_lookup (metadata, ATM_KEY_MANIFEST, "&s", &manifest))
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE,
                      "It is no image of a container (its commit has no “%s”); have the site store "
                      "it with “atomic pull”",
                      ATM_KEY_MANIFEST);
  if (!g_variant_lookup (metadata, ATM_KEY_IMAGE_FORMAT, "u", &format)
      || format != ATM_IMAGE_FORMAT)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE,
                      "Another program or version has stored it, without a tree that this one can "
                      "read (“%s” is not %d); have the site pull it again with this version",
                      ATM_KEY_IMAGE_FORMAT, ATM_IMAGE_FORMAT);
  commit->manifest = g_bytes_new (manifest, strlen (manifest));
  commit->config = atm_metadata_lookup_bytes (metadata, ATM_KEY_IMAGE_CONFIG);
  commit->signatures = atm_metadata_lookup_blobs (metadata, ATM_KEY_IMAGE_SIGNATURES);
  (void) g_variant_lookup (metadata, ATM_KEY_IMAGE_NOTICE, "s", &commit->notice);
  if (commit->config == NULL
      || !g_variant_lookup (metadata, ATM_KEY_IMAGE_REFERENCE, "s", &commit->reference)
      || !g_variant_lookup (metadata, ATM_KEY_IMAGE_CANONICAL, "s", &commit->canonical))
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE,
                      "The metadata of the image is damaged; have the site pull it again");
  return TRUE;
}

gboolean
atm_remote_commit_parse (GBytes *bytes, AtmRemoteCommit **commit_out, GError **error)
{
  g_autoptr (AtmRemoteCommit) commit = g_new0 (AtmRemoteCommit, 1);
  g_autoptr (GVariant) variant = NULL, metadata = NULL, contents = NULL, meta = NULL;

  if (g_bytes_get_size (bytes) > OSTREE_MAX_METADATA_SIZE)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE,
                      "The commit is larger than %d bytes", OSTREE_MAX_METADATA_SIZE);
  variant
      = g_variant_ref_sink (g_variant_new_from_bytes (OSTREE_COMMIT_GVARIANT_FORMAT, bytes, FALSE));
  /* One of another form reads differently to different readers, and signed is only the bytes. */
  if (!g_variant_is_normal_form (variant) || !ostree_validate_structureof_commit (variant, NULL))
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE,
                      "It is no commit of OSTree, or a damaged one");
  metadata = g_variant_get_child_value (variant, COMMIT_METADATA);
  contents = g_variant_get_child_value (variant, COMMIT_CONTENTS);
  meta = g_variant_get_child_value (variant, COMMIT_META);
  commit->contents = ostree_checksum_from_bytes_v (contents);
  commit->meta = ostree_checksum_from_bytes_v (meta);
  if (!read_image (metadata, commit, error))
    return FALSE;
  *commit_out = g_steal_pointer (&commit);
  return TRUE;
}
