/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/sign.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ops/gpg-home.h"
#include "ops/open.h"
#include "trust/lookaside.h"
#include "trust/openpgp.h"
#include "trust/payload.h"
#include "trust/places.h"
#include "trust/registriesd.h"
#include "trust/signature.h"
#include "trust/signer.h"
#include "trust/staging.h"
#include "trust/trust.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"

#define PASSPHRASE_MAX_BYTES 1024
/* Not “atomic VERSION”: other programs call themselves that (trust.md 14). */
#define CREATOR "atomic-installer " PACKAGE_VERSION

void
atm_signed_free (AtmSigned *made)
{
  if (made == NULL)
    return;
  g_free (made->reference);
  g_free (made->digest);
  g_free (made->fingerprint);
  g_free (made->path);
  g_free (made);
}

/* ---- what is signed ---- */

/* A manifest that is still to be looked at. */
typedef struct
{
  AtmDescriptor *descriptor; /* (owned) (nullable): NULL: what the name means */
  guint depth;
} Step;

static void
step_free (Step *step)
{
  if (step == NULL)
    return;
  atm_descriptor_free (step->descriptor);
  g_free (step);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Step, step_free)

static void
push (GQueue *queue, AtmDescriptor *descriptor, guint depth)
{
  Step *step = g_new0 (Step, 1);

  step->descriptor = descriptor;
  step->depth = depth;
  g_queue_push_tail (queue, step);
}

/* All entries, whatever platform they are for: hosts of all of them will ask. */
static gboolean
push_entries (GBytes *index, const char *what, guint depth, GQueue *queue, GError **error)
{
  g_autoptr (JsonObject) object = NULL;
  JsonArray *entries = NULL;

  if (depth > ATM_INDEX_DEPTH_MAX)
    return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                      "%s: an index in an index in an index is not followed", what);
  if (!atm_json_parse_object (index, &object, error))
    return FALSE;
  entries = json_object_get_array_member (object, "manifests");
  for (guint i = 0; i < json_array_get_length (entries); i++)
    {
      JsonNode *node = json_array_get_element (entries, i);
      g_autofree char *where = g_strdup_printf ("manifests[%u]", i);
      AtmDescriptor *descriptor = NULL;

      if (!JSON_NODE_HOLDS_OBJECT (node))
        return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                          "The index of %s: “%s” is no object", what, where);
      if (!atm_descriptor_read (json_node_get_object (node), where, &descriptor, error))
        return atm_prefix_error (error, "The index of %s", what);
      push (queue, descriptor, depth);
    }
  return TRUE;
}

static void
add_digest (GArray *digests, const AtmDigest *digest)
{
  for (guint i = 0; i < digests->len; i++)
    if (atm_digest_equal (&g_array_index (digests, AtmDigest, i), digest))
      return;
  g_array_append_val (digests, *digest);
}

/* The manifests of the image, each once, the one that its name means first. */
static gboolean
collect (AtmSource *source, const AtmOrigin *origin, const char *what, GArray *digests,
         GCancellable *cancellable, GError **error)
{
  const AtmDigest *wanted = origin->transport == ATM_TRANSPORT_DOCKER && origin->name->has_digest
                                ? &origin->name->digest
                                : NULL;
  g_autoptr (GQueue) queue = g_queue_new ();
  gboolean ok = TRUE;
  guint n_seen = 0;

  push (queue, NULL, 0);
  while (ok && !g_queue_is_empty (queue))
    {
      g_autoptr (Step) step = g_queue_pop_head (queue);
      g_autoptr (GBytes) bytes = NULL;
      g_autofree char *content_type = NULL;
      AtmManifestKind kind = ATM_MANIFEST_KIND_IMAGE;
      AtmDigest digest;

      if (++n_seen > ATM_INDEX_ENTRIES_MAX + 1)
        ok = atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                        "%s: the index lists more than %d manifests", what, ATM_INDEX_ENTRIES_MAX);
      ok = ok
           && atm_source_fetch_manifest (source, step->descriptor,
                                         step->descriptor == NULL ? wanted : NULL, &bytes,
                                         &content_type, cancellable, error)
           && atm_manifest_get_kind (bytes, content_type, what, &kind, error);
      if (!ok)
        break;
      atm_digest_of (ATM_HASH_SHA256, bytes, &digest);
      add_digest (digests, &digest);
      if (kind == ATM_MANIFEST_KIND_INDEX)
        ok = push_entries (bytes, what, step->depth + 1, queue, error);
    }
  g_queue_clear_full (queue, (GDestroyNotify) step_free);
  return ok;
}

/* ---- where signatures go ---- */

static gboolean
find_url (const AtmSystem *system, const AtmImageName *name, char **url_out, GError **error)
{
  g_autoptr (AtmRegistriesd) conf = NULL;
  g_autofree char *folder = NULL;

  if (!atm_registriesd_load (system->registries_d, ATM_SYSCONFDIR "/containers", &conf, error))
    return FALSE;
  *url_out = g_strdup (atm_registriesd_look_up_writing (conf, name));
  if (*url_out != NULL)
    return TRUE;
  folder = atm_places_dup_lookaside ();
  *url_out = g_filename_to_uri (folder, NULL, error);
  return *url_out != NULL && atm_make_dirs (folder, 0755, NULL, error);
}

static gboolean
choose_base (const AtmSystem *system, const AtmSignOptions *options, const AtmImageName *name,
             char **base_out, GError **error)
{
  g_autofree char *url = NULL;
  g_autoptr (GUri) uri = NULL;

  if (options->dir != NULL)
    {
      *base_out = g_canonicalize_filename (options->dir, NULL);
      return TRUE;
    }
  if (!find_url (system, name, &url, error))
    return FALSE;
  uri = g_uri_parse (url, G_URI_FLAGS_NONE, error);
  if (uri == NULL)
    return FALSE;
  if (!g_str_equal (g_uri_get_scheme (uri), "file"))
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG,
                      "The signatures of %s/%s are at %s, where nobody can write by a URL; name a "
                      "folder as “lookaside-staging” in registries.d, or with --directory, and "
                      "publish what is in it",
                      name->domain, name->path, url);
  *base_out = g_strdup (g_uri_get_path (uri));
  return TRUE;
}

/* Before anybody is asked for a passphrase. */
static gboolean
find_base (const AtmSystem *system, const AtmSignOptions *options, const AtmImageName *name,
           char **base_out, GError **error)
{
  g_autofree char *base = NULL;

  if (!choose_base (system, options, name, &base, error))
    return FALSE;
  if (!g_file_test (base, G_FILE_TEST_IS_DIR))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                      "The folder of signatures %s is not there; make it, or name another with "
                      "--directory",
                      base);
  *base_out = g_steal_pointer (&base);
  return TRUE;
}

/* ---- who signs ---- */

static gboolean
read_passphrase (const char *path, AtmSecret **passphrase_out, GError **error)
{
  atm_autofd int fd = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  g_autoptr (AtmSecretBytes) bytes = NULL;
  struct stat st;
  gsize length = 0;
  const char *data = NULL;

  if (fd < 0 || fstat (fd, &st) < 0)
    return atm_throw_errno (error, "Opening the passphrase file %s", path);
  if (S_ISREG (st.st_mode) && (st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                      "The passphrase file %s is open to others than its owner; close it "
                      "(chmod go=) and think of a new passphrase",
                      path);
  if (!atm_read_all (fd, PASSPHRASE_MAX_BYTES, &bytes, error))
    return atm_prefix_error (error, "The passphrase file %s", path);
  data = g_bytes_get_data (bytes, &length);
  if (memchr (data != NULL ? data : "", '\0', length) != NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "The passphrase file %s holds a zero byte", path);
  *passphrase_out = g_strndup (data, length);
  (*passphrase_out)[strcspn (*passphrase_out, "\r\n")] = '\0';
  return TRUE;
}

/* A key, and an engine that knows it and nothing else, as a host that is to read it would. */
typedef struct
{
  AtmSigner *signer;  /* (owned) (nullable) */
  AtmOpenpgp *engine; /* (owned) (nullable) */
} Hand;

static void
hand_free (Hand *hand)
{
  if (hand == NULL)
    return;
  atm_signer_free (hand->signer);
  atm_openpgp_free (hand->engine);
  g_free (hand);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Hand, hand_free)

static gboolean
open_hand (const AtmSystem *system, const char *home, const char *key, const AtmSecret *passphrase,
           Hand **hand_out, GError **error)
{
  g_autoptr (Hand) hand = g_new0 (Hand, 1);
  g_autoptr (GBytes) keyring = NULL;

  if (!atm_signer_open (home, key, passphrase, &hand->signer, error)
      || !atm_signer_export (home, atm_signer_get_fingerprint (hand->signer), FALSE, &keyring,
                             error)
      || !atm_openpgp_new (system->run_dir, &hand->engine, error)
      || !atm_openpgp_import (hand->engine, keyring, home, error))
    return FALSE;
  *hand_out = g_steal_pointer (&hand);
  return TRUE;
}

static gboolean
open_hands (const AtmSystem *system, const AtmSignOptions *options, const AtmSecret *passphrase,
            GPtrArray *hands, GError **error)
{
  const char *const fallback[] = { system->default_signer, NULL };
  const char *const *keys = options->keys != NULL ? options->keys : fallback;
  g_autofree char *home = atm_gpg_home_dup (system, options->gpg_home);

  if (keys[0] == NULL)
    return atm_throw (error, ATM_SIGNER_ERROR, ATM_SIGNER_ERROR_KEY,
                      "No key was named; use --sign-by, or “default_signer” in atomic.conf");
  for (guint i = 0; keys[i] != NULL; i++)
    {
      g_autoptr (Hand) hand = NULL;

      if (!open_hand (system, home, keys[i], passphrase, &hand, error))
        return FALSE;
      g_ptr_array_add (hands, g_steal_pointer (&hand));
    }
  return TRUE;
}

/* ---- signing ---- */

/* Everything that one signature depends on but its key. All (borrowed). */
typedef struct
{
  const char *base;
  const AtmImageName *place; /* the name that signatures are looked for by */
  const char *reference;
  const AtmDigest *digest;
} Claim;

/* Whether @signature is by the key of @hand and says @claim; @reason_out if it is no good at all.
 */
static gboolean
says (const Hand *hand, const AtmSignature *signature, const Claim *claim, gboolean *says_out,
      GError **reason_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmSignedMessage) message = NULL;
  g_autoptr (AtmPayload) payload = NULL;

  *says_out = FALSE;
  if (signature->message == NULL)
    return TRUE;
  if (!atm_openpgp_verify (hand->engine, signature->message, &message, reason_out, cancellable,
                           error))
    return FALSE;
  if (message == NULL || !atm_payload_parse (message->payload, &payload, reason_out))
    return TRUE;
  *says_out = atm_digest_equal (&payload->digest, claim->digest)
              && g_str_equal (payload->reference, claim->reference)
              && g_str_equal (message->fingerprint, atm_signer_get_fingerprint (hand->signer));
  return TRUE;
}

static gboolean
has_signed (const Hand *hand, const Claim *claim, gboolean *signed_out, GCancellable *cancellable,
            GError **error)
{
  g_autofree char *url = g_filename_to_uri (claim->base, NULL, error);
  g_autoptr (GPtrArray) blobs = NULL;

  *signed_out = FALSE;
  if (url == NULL
      || !atm_lookaside_read (url, claim->place->path, claim->digest, NULL, NULL, &blobs,
                              cancellable, error))
    return FALSE;
  for (guint i = 0; i < blobs->len && !*signed_out; i++)
    {
      g_autoptr (AtmSignature) signature = NULL;
      g_autoptr (GError) reason = NULL;

      if (!atm_signature_new (i + 1, g_ptr_array_index (blobs, i), &signature, error)
          || !says (hand, signature, claim, signed_out, &reason, cancellable, error))
        return FALSE;
    }
  return TRUE;
}

/* What gpg made, if a host that trusts the key will accept it: gpg may be told to use a digest that
   nobody takes any more, or to write text. */
static gboolean
make (const Hand *hand, const Claim *claim, GBytes **blob_out, GCancellable *cancellable,
      GError **error)
{
  g_autoptr (GBytes) payload = atm_payload_write (claim->digest, claim->reference, CREATOR,
                                                  g_get_real_time () / G_USEC_PER_SEC);
  g_autoptr (GBytes) blob = NULL;
  g_autoptr (AtmSignature) signature = NULL;
  g_autoptr (GError) reason = NULL;
  gboolean good = FALSE;

  if (!atm_signer_sign (hand->signer, payload, &blob, cancellable, error)
      || !atm_signature_new (1, blob, &signature, error)
      || !says (hand, signature, claim, &good, &reason, cancellable, error))
    return FALSE;
  if (!good)
    return atm_throw (error, ATM_SIGNER_ERROR, ATM_SIGNER_ERROR_GPG,
                      "gpg made a signature that no host would accept (%s); look into gpg.conf of "
                      "the signer",
                      reason != NULL ? reason->message : "it says something else");
  *blob_out = g_steal_pointer (&blob);
  return TRUE;
}

static gboolean
sign_one (const Hand *hand, const Claim *claim, GPtrArray *made, GCancellable *cancellable,
          GError **error)
{
  g_autoptr (AtmSigned) entry = g_new0 (AtmSigned, 1);
  g_autoptr (GBytes) blob = NULL;
  gboolean before = FALSE;

  entry->reference = g_strdup (claim->reference);
  entry->digest = atm_digest_to_string (claim->digest);
  entry->fingerprint = g_strdup (atm_signer_get_fingerprint (hand->signer));
  if (!has_signed (hand, claim, &before, cancellable, error))
    return FALSE;
  if (!before
      && (!make (hand, claim, &blob, cancellable, error)
          || !atm_staging_put (claim->base, claim->place->path, claim->digest, blob, &entry->path,
                               error)))
    return FALSE;
  g_ptr_array_add (made, g_steal_pointer (&entry));
  return TRUE;
}

/* The name to sign for, and the one to file the signature under. */
static gboolean
find_names (const AtmOrigin *origin, const AtmSignOptions *options, AtmImageName **identity_out,
            AtmImageName **place_out, GError **error)
{
  g_autoptr (AtmImageName) identity = NULL;

  if (options->identity != NULL)
    {
      if (!atm_name_parse (options->identity, FALSE, &identity, error))
        return atm_prefix_error (error, "--identity");
      if (identity->tag == NULL && !identity->has_digest)
        return atm_throw (error, ATM_NAME_ERROR, ATM_NAME_ERROR_SYNTAX,
                          "--identity: “%s” has neither a tag nor a digest; add the tag that the "
                          "image is asked for by",
                          options->identity);
    }
  else if (origin->transport == ATM_TRANSPORT_DOCKER)
    identity = atm_name_copy (origin->name);
  else
    {
      g_autofree char *what = atm_origin_to_string (origin);

      return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_UNSUPPORTED,
                        "%s has no name that a signature could be for; say with --identity which "
                        "image of which registry it is to be",
                        what);
    }
  *place_out = atm_name_copy (origin->transport == ATM_TRANSPORT_DOCKER ? origin->name : identity);
  *identity_out = g_steal_pointer (&identity);
  return TRUE;
}

static void
tell (const AtmOrigin *origin, const char *what, const GArray *digests, GPtrArray *hands,
      const AtmReport *report)
{
  g_autofree char *digest = atm_digest_to_string (&g_array_index (digests, AtmDigest, 0));

  if (origin->transport == ATM_TRANSPORT_DOCKER && !origin->name->has_digest)
    atm_report (report, ATM_REPORT_NOTICE,
                "%s is %s, as %s says now; compare that with what you have built before you "
                "publish the signature",
                what, digest, origin->name->domain);
  else
    atm_report (report, ATM_REPORT_NOTICE, "%s is %s", what, digest);
  for (guint i = 0; i < hands->len; i++)
    {
      const Hand *hand = g_ptr_array_index (hands, i);

      atm_report (report, ATM_REPORT_NOTICE, "Signing with the key %s",
                  atm_signer_get_fingerprint (hand->signer));
    }
}

gboolean
atm_sign (const AtmSystem *system, const AtmOrigin *origin, const AtmSignOptions *options,
          const AtmReport *report, GPtrArray *made, GCancellable *cancellable, GError **error)
{
  g_autofree char *what = atm_origin_to_string (origin);
  g_autofree char *base = NULL, *reference = NULL;
  g_autoptr (AtmImageName) identity = NULL, place = NULL;
  g_autoptr (AtmSecret) passphrase = NULL;
  g_autoptr (GPtrArray) hands = g_ptr_array_new_with_free_func ((GDestroyNotify) hand_free);
  g_autoptr (GArray) digests = g_array_new (FALSE, FALSE, sizeof (AtmDigest));
  g_autoptr (AtmSource) source = NULL;

  if (!find_names (origin, options, &identity, &place, error)
      || !find_base (system, options, place, &base, error)
      || (options->passphrase_file != NULL
          && !read_passphrase (options->passphrase_file, &passphrase, error))
      || !open_hands (system, options, passphrase, hands, error)
      || !atm_open_source (system, origin, NULL, report, &source, cancellable, error)
      || !collect (source, origin, what, digests, cancellable, error))
    return FALSE;

  tell (origin, what, digests, hands, report);
  reference = atm_name_to_identity (identity);
  for (guint i = 0; i < digests->len; i++)
    for (guint k = 0; k < hands->len; k++)
      {
        const Claim claim = { base, place, reference, &g_array_index (digests, AtmDigest, i) };

        if (!sign_one (g_ptr_array_index (hands, k), &claim, made, cancellable, error))
          return atm_prefix_error (error, "%s", what);
      }
  return TRUE;
}
