/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fixtures/layer.h"
#include "fixtures/scratch.h"
#include "fixtures/signer.h"
#include "fixtures/site.h"

#include <string.h>
#include <unistd.h>

#include "ops/judge.h"
#include "ops/pull.h"
#include "store/remote.h"
#include "store/store-private.h"
#include "util/json.h"

/* Images of a site: by path, by path from its mirror, and by HTTP from its mirror. */

static const AtmPullOptions no_options = { 0 };

static AtmTestSite *site; /* (owned) */

/* ---- a host ---- */

typedef enum
{
  BARE,   /* the path of the site's own repository */
  MIRROR, /* the path of its archive */
  HTTP,   /* a remote */
  N_WAYS
} Way;

typedef struct
{
  AtmTestStore *store; /* (owned) */
  AtmSystem system;    /* strings (owned) */
  GString *lines;      /* (owned): what was reported */
  AtmReport report;
} Host;

static void
take_line (AtmReportKind kind, const char *text, gpointer data)
{
  g_string_append_printf (data, "%s%s\n", kind == ATM_REPORT_NOTICE ? "notice: " : "", text);
}

static Host *
host_new (void)
{
  Host *host = g_new0 (Host, 1);
  g_autofree char *scratch = atm_test_scratch_path ();
  g_autofree char *remote = NULL;

  host->store = atm_test_store_new ();
  host->system.repository = g_strdup (host->store->path);
  host->system.checkout = g_build_filename (scratch, "checkout", NULL);
  host->system.run_dir = g_build_filename (scratch, "run", NULL);
  host->system.policy = g_build_filename (scratch, "policy.json", NULL);
  host->lines = g_string_new (NULL);
  host->report.line = take_line;
  host->report.data = host->lines;
  /* As an operator does it; without a keyring for libostree. */
  remote = g_strdup_printf ("remote add --repo=%s site %s", host->store->path, site->url);
  atm_test_ostree (remote);
  return host;
}

static void
host_free (Host *host)
{
  if (host == NULL)
    return;
  atm_test_store_free (host->store);
  g_free (host->system.repository);
  g_free (host->system.checkout);
  g_free (host->system.run_dir);
  g_free (host->system.policy);
  g_string_free (host->lines, TRUE);
  g_free (host);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Host, host_free)

static const char *
place (Way way)
{
  return way == BARE ? site->store->path : way == MIRROR ? site->mirror : "site";
}

#define ACCEPT "{\"type\":\"insecureAcceptAnything\"}"
#define REJECT "{\"type\":\"reject\"}"
#define BY(key) "{\"type\":\"signedBy\",\"keyType\":\"GPGKeys\",\"keyPath\":\"@" key "@\"}"
#define BY_SITE BY (ATM_TEST_SITE_KEY)
#define BY_PUBLISHER BY (ATM_TEST_PUBLISHER_KEY)
#define BY_OTHER BY (ATM_TEST_OTHER_KEY)

/* What every case below is asked with unless it says otherwise. “@KEY@” becomes a path, “SITE” the
   path or name of the site. */
#define POLICY(site_list, image_list)                                                              \
  "{\"default\":[" REJECT "],\"transports\":{\"ostree\":{\"SITE\":[" site_list                     \
  "]},\"docker\":{\"reg.test\":[" image_list "]}}}"

static void
write_policy (Host *host, const char *template, Way way)
{
  g_autoptr (GString) text = g_string_new (template);
  const char *const keys[] = { ATM_TEST_SITE_KEY, ATM_TEST_PUBLISHER_KEY, ATM_TEST_OTHER_KEY };

  g_string_replace (text, "SITE", place (way), 0);
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    {
      g_autofree char *from = g_strdup_printf ("@%s@", keys[i]);
      g_autofree char *to = g_strdup_printf ("%s/%s.gpg", site->folder, keys[i]);

      g_string_replace (text, from, to, 0);
    }
  g_assert_true (g_file_set_contents_full (host->system.policy, text->str, (gssize) text->len,
                                           G_FILE_SET_CONTENTS_CONSISTENT, 0644, NULL));
}

static gboolean
pull (Host *host, Way way, const char *image, AtmStoredImage **image_out, GError **error)
{
  g_autofree char *text = g_strdup_printf ("ostree:%s:%s", place (way), image);
  g_autoptr (AtmOrigin) origin = NULL;

  g_string_truncate (host->lines, 0);
  return atm_origin_parse (text, &origin, error)
         && atm_pull (&host->system, origin, &no_options, &host->report, image_out, NULL, error);
}

static AtmStoredImage *
pull_ok (Host *host, Way way, const char *image)
{
  g_autoptr (GError) error = NULL;
  AtmStoredImage *stored = NULL;

  if (!pull (host, way, image, &stored, &error))
    g_error ("%s by way %d: %s", image, way, error->message);
  atm_test_fsck (host->store);
  return stored;
}

/* ---- what the site has ---- */

#define GOOD "reg.test/ns/good:1"

static AtmTestImage *
new_image (const char *name)
{
  AtmTestImage *image = atm_test_image_new ();
  g_autofree char *top = g_strdup_printf ("f name %s\n", name);

  atm_test_image_add (image, "d etc\nf etc/hosts localhost\nf gone x\n");
  atm_test_image_add (image, top);
  atm_test_image_end (image);
  return image;
}

/* An image of reg.test, signed by @key and in a commit signed by @site_key. */
static char *
add_image (const char *reference, const char *canonical, const char *key, const char *identity,
           const char *site_key)
{
  g_autoptr (AtmTestImage) image = new_image (reference);
  char *commit = atm_test_site_explode (site, image, reference, canonical, key, identity);

  if (site_key != NULL)
    atm_test_site_sign (site, commit, site_key);
  return commit;
}

static void
name_commit (const char *reference, const char *commit)
{
  g_autofree char *ref = atm_ref_encode (reference);
  g_autoptr (GError) error = NULL;

  g_assert_true (
      ostree_repo_set_ref_immediate (site->store->store->repo, NULL, ref, commit, NULL, &error));
}

/* A commit that is no image. */
static void
add_plain (const char *reference)
{
  g_autofree char *ref = atm_ref_encode (reference);
  g_autofree char *folder = atm_test_scratch_path ();
  g_autofree char *line
      = g_strdup_printf ("commit --repo=%s --branch=%s --tree=dir=%s --gpg-homedir=%s "
                         "--gpg-sign=%s",
                         site->store->path, ref, folder, site->home, ATM_TEST_SITE_KEY);

  atm_test_ostree (line);
}

#define ADD(name, key, site_key)                                                                   \
  g_free (add_image ("reg.test/ns/" name ":1", "reg.test/ns/" name ":1", key,                      \
                     "reg.test/ns/" name ":1", site_key))

static void
fill_site (void)
{
  g_autofree char *good = add_image (GOOD, GOOD, ATM_TEST_PUBLISHER_KEY, GOOD, ATM_TEST_SITE_KEY);

  ADD ("unsigned", ATM_TEST_PUBLISHER_KEY, NULL);
  ADD ("other", ATM_TEST_PUBLISHER_KEY, ATM_TEST_OTHER_KEY);
  ADD ("bare", NULL, ATM_TEST_SITE_KEY);
  ADD ("foreign", ATM_TEST_OTHER_KEY, ATM_TEST_SITE_KEY);
  ADD ("damaged", ATM_TEST_PUBLISHER_KEY, ATM_TEST_SITE_KEY);
  /* The commit of another image under this name; and metadata that claim this name for it. */
  name_commit ("reg.test/ns/swapped:1", good);
  g_free (add_image ("reg.test/ns/claimed:1", "reg.test/ns/claimed:1", ATM_TEST_PUBLISHER_KEY, GOOD,
                     ATM_TEST_SITE_KEY));
  g_free (add_image ("reg.test/ns/layout:1", "oci:/srv/layout:1", ATM_TEST_PUBLISHER_KEY,
                     "reg.test/ns/layout:1", ATM_TEST_SITE_KEY));
  g_free (add_image ("reg.test/ns/tier:1", "ostree:upper:reg.test/ns/tier:1",
                     ATM_TEST_PUBLISHER_KEY, "reg.test/ns/tier:1", ATM_TEST_SITE_KEY));
  g_free (add_image ("reg.test/ns/two:1", "reg.test/ns/two:1", ATM_TEST_PUBLISHER_KEY,
                     "reg.test/ns/two:1", ATM_TEST_OTHER_KEY));
  add_plain ("reg.test/ns/plain:1");
  atm_test_site_publish (site);
}

/* ---- pulls ---- */

static JsonObject *
parse (const char *text)
{
  g_autoptr (GBytes) bytes = atm_test_bytes (text);
  g_autoptr (GError) error = NULL;
  JsonObject *object = NULL;

  g_assert_true (atm_json_parse_object (bytes, &object, &error));
  return object;
}

static void
test_good (void)
{
  for (Way way = BARE; way < N_WAYS; way++)
    {
      g_autoptr (Host) host = host_new ();
      g_autofree char *canonical = g_strdup_printf ("ostree:%s:" GOOD, place (way));
      g_autoptr (AtmStoredImage) image = NULL, again = NULL;
      g_autofree char *list = NULL, *there = NULL, *ref = atm_ref_encode (GOOD);
      g_autoptr (JsonObject) verdict = NULL;
      JsonObject *part = NULL;

      (void) atm_test_site_count_files (site);
      write_policy (host, POLICY (BY_SITE, BY_PUBLISHER), way);
      image = pull_ok (host, way, GOOD);
      g_assert_true (g_str_has_prefix (host->lines->str, "Copying commit "));
      list = atm_test_list (host->store, image->commit);
      g_assert_cmpstr (list, ==, "etc/ etc/hosts=localhost gone=x name=" GOOD);
      g_assert_cmpstr (image->canonical, ==, canonical);
      g_assert_cmpuint (image->signatures->len, ==, 1);
      g_assert_cmpuint (image->site_signatures->len, ==, 1);
      /* Nothing that the site says of layers is believed, and no ref but that of the image made. */
      g_assert_cmpuint (atm_test_count_refs (host->store), ==, 1);
      if (way == HTTP)
        g_assert_cmpuint (atm_test_site_count_files (site), ==, 3);

      verdict = parse (image->verdict);
      g_assert_cmpstr (json_object_get_string_member (verdict, "reference"), ==, GOOD);
      g_assert_cmpstr (json_object_get_string_member (verdict, "scope"), ==, "reg.test");
      part = json_object_get_object_member (verdict, "site");
      g_assert_true (ostree_repo_resolve_rev (site->store->store->repo, ref, FALSE, &there, NULL));
      g_assert_cmpstr (json_object_get_string_member (part, "commit"), ==, there);
      g_assert_cmpstr (json_object_get_string_member (part, "reference"), ==, canonical);
      g_assert_cmpstr (json_object_get_string_member (part, "transport"), ==, "ostree");
      g_assert_cmpstr (json_object_get_string_member (part, "scope"), ==, place (way));
      g_assert_cmpuint (json_array_get_length (json_object_get_array_member (part, "signatures")),
                        ==, 1);

      /* Again: nothing is fetched, said or stored. */
      again = pull_ok (host, way, GOOD);
      g_assert_cmpstr (host->lines->str, ==, "");
      g_assert_cmpstr (again->commit, ==, image->commit);
      if (way == HTTP)
        g_assert_cmpuint (atm_test_site_count_files (site), ==, 0);
    }
}

/* An image of a site that has it from another, which may have a name of its own there. */
static void
test_tier (void)
{
  g_autoptr (Host) host = host_new ();
  g_autoptr (AtmStoredImage) image = NULL;

  write_policy (host, POLICY (BY_SITE, BY_PUBLISHER), BARE);
  image = pull_ok (host, BARE, "reg.test/ns/tier:1");
  g_assert_cmpuint (image->site_signatures->len, ==, 1);
}

static const struct
{
  const char *image;
  const char *policy; /* (nullable): POLICY (BY_SITE, BY_PUBLISHER) */
  int trust;          /* %ATM_TRUST_ERROR; -1: %ATM_STORE_ERROR in @store; -2: anything */
  int store;
  const char *text; /* (nullable): part of the message */
} refused[] = {
  { "reg.test/ns/unsigned:1", NULL, ATM_TRUST_ERROR_UNSIGNED, 0, "ostree gpg-sign" },
  { "reg.test/ns/other:1", NULL, ATM_TRUST_ERROR_UNKNOWN_KEY, 0, "signature 1" },
  { "reg.test/ns/bare:1", NULL, ATM_TRUST_ERROR_UNSIGNED, 0, "publisher" },
  { "reg.test/ns/foreign:1", NULL, ATM_TRUST_ERROR_UNKNOWN_KEY, 0, "signature-1" },
  { "reg.test/ns/claimed:1", NULL, ATM_TRUST_ERROR_IDENTITY_MISMATCH, 0, GOOD },
  { "reg.test/ns/swapped:1", NULL, -1, ATM_STORE_ERROR_SITE, GOOD },
  { "reg.test/ns/layout:1", NULL, -1, ATM_STORE_ERROR_SITE, "oci:/srv/layout:1" },
  { "reg.test/ns/plain:1", NULL, -1, ATM_STORE_ERROR_SITE, "docker.manifest" },
  { "reg.test/ns/missing:1", NULL, -1, ATM_STORE_ERROR_NOT_FOUND, "missing" },
  { "reg.test/ns/damaged:1", NULL, -2, 0, NULL },
  { GOOD, POLICY (REJECT, BY_PUBLISHER), ATM_TRUST_ERROR_REJECTED, 0, "key of the site" },
  { GOOD, POLICY (BY_SITE, REJECT), ATM_TRUST_ERROR_REJECTED, 0, "publisher's key" },
  { GOOD, POLICY (BY_OTHER, BY_PUBLISHER), ATM_TRUST_ERROR_UNKNOWN_KEY, 0, "site's commit" },
  { GOOD, POLICY (BY_SITE, BY_OTHER), ATM_TRUST_ERROR_UNKNOWN_KEY, 0, "signature-1" },
  { GOOD, POLICY (BY_SITE "," BY_OTHER, BY_PUBLISHER), ATM_TRUST_ERROR_UNKNOWN_KEY, 0, NULL },
  { GOOD, POLICY ("{\"type\":\"sigstoreSigned\",\"keyPath\":\"/k\"}", BY_PUBLISHER),
    ATM_TRUST_ERROR_POLICY_UNSUPPORTED, 0, "sigstoreSigned" },
  /* No word about sites, or about this one, or about registries: the default. */
  { GOOD, "{\"default\":[" REJECT "],\"transports\":{\"docker\":{\"\":[" ACCEPT "]}}}",
    ATM_TRUST_ERROR_REJECTED, 0, "“default”" },
  { GOOD,
    "{\"default\":[" REJECT "],\"transports\":{\"ostree\":{\"elsewhere\":[" ACCEPT
    "]},\"docker\":{\"\":[" ACCEPT "]}}}",
    ATM_TRUST_ERROR_REJECTED, 0, "“default”" },
  { GOOD, "{\"default\":[" REJECT "],\"transports\":{\"ostree\":{\"\":[" ACCEPT "]}}}",
    ATM_TRUST_ERROR_REJECTED, 0, "“docker”" },
  { GOOD,
    "{\"default\":[" REJECT "],\"transports\":{\"ostree\":{\"SITE\":[" BY_SITE
    "],\"SITE:reg.test/ns\":[" REJECT "]},\"docker\":{\"\":[" ACCEPT "]}}}",
    ATM_TRUST_ERROR_REJECTED, 0, "reg.test/ns" },
};

/* Overwrites the one file of the damaged image that no other has, in both repositories. */
static void
damage (void)
{
  g_autofree char *ref = atm_ref_encode ("reg.test/ns/damaged:1");
  g_autoptr (GFile) root = NULL, file = NULL;
  const char *checksum = NULL;

  g_assert_true (ostree_repo_read_commit (site->store->store->repo, ref, &root, NULL, NULL, NULL));
  file = g_file_get_child (root, "name");
  checksum = ostree_repo_file_get_checksum (OSTREE_REPO_FILE (file));
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *path
          = g_strdup_printf ("%s/objects/%.2s/%s.%s", i == 0 ? site->store->path : site->mirror,
                             checksum, checksum + 2, i == 0 ? "file" : "filez");
      g_autofree char *bytes = NULL;
      gsize length = 0;

      g_assert_true (g_file_get_contents (path, &bytes, &length, NULL));
      /* Not the last byte: the last bits of a filez may mean nothing. */
      bytes[length - 8] ^= 1;
      g_assert_true (g_file_set_contents_full (path, bytes, (gssize) length,
                                               G_FILE_SET_CONTENTS_CONSISTENT, 0644, NULL));
    }
}

static void
test_refused (void)
{
  damage ();
  for (Way way = BARE; way < N_WAYS; way++)
    for (guint i = 0; i < G_N_ELEMENTS (refused); i++)
      {
        g_autoptr (Host) host = host_new ();
        g_autoptr (AtmStoredImage) image = NULL;
        g_autoptr (GError) error = NULL;
        GQuark domain = refused[i].trust >= 0 ? ATM_TRUST_ERROR : ATM_STORE_ERROR;
        int code = refused[i].trust >= 0 ? refused[i].trust : refused[i].store;

        (void) atm_test_site_count_files (site);
        write_policy (
            host, refused[i].policy != NULL ? refused[i].policy : POLICY (BY_SITE, BY_PUBLISHER),
            way);
        if (pull (host, way, refused[i].image, &image, &error))
          g_error ("row %u, way %d: accepted", i, way);
        g_test_message ("%s", error->message);
        if ((refused[i].trust != -2 && !g_error_matches (error, domain, code))
            || (refused[i].text != NULL && strstr (error->message, refused[i].text) == NULL)
            || strstr (error->message, refused[i].image) == NULL)
          g_error ("row %u, way %d: %s", i, way, error->message);
        g_assert_cmpuint (atm_test_count_refs (host->store), ==, 0);
        atm_test_fsck (host->store);
        if (refused[i].trust != -2)
          {
            g_autofree char *state = g_build_filename (host->store->path, "state", NULL);
            g_autoptr (GDir) left = g_dir_open (state, 0, NULL);
            g_autoptr (GHashTable) objects = NULL;

            /* No file was asked for, and no commit is left behind. */
            g_assert_cmpuint (atm_test_site_count_files (site), ==, 0);
            g_assert_null (g_dir_read_name (left));
            g_assert_true (ostree_repo_list_objects (
                host->store->store->repo, OSTREE_REPO_LIST_OBJECTS_ALL, &objects, NULL, NULL));
            g_assert_cmpuint (g_hash_table_size (objects), ==, 0);
          }
      }
}

static void
test_policies (void)
{
  const char *const allowed[] = {
    POLICY (ACCEPT, BY_PUBLISHER),
    POLICY (BY_SITE, ACCEPT),
    "{\"default\":[" ACCEPT "]}",
    "{\"default\":[" REJECT "],\"transports\":{\"ostree\":{\"SITE:" GOOD "\":[" BY_SITE
    "]},\"docker\":{\"reg.test\":[" BY_PUBLISHER "]}}}",
    "{\"default\":[" REJECT "],\"transports\":{\"ostree\":{\"\":[" BY_SITE
    "]},\"docker\":{\"reg.test\":[" BY_PUBLISHER "]}}}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (allowed); i++)
    {
      g_autoptr (Host) host = host_new ();
      g_autoptr (AtmStoredImage) image = NULL;

      write_policy (host, allowed[i], MIRROR);
      image = pull_ok (host, MIRROR, GOOD);
      g_assert_nonnull (image->site_commit);
    }
}

/* What was stored is judged by the policy of today, without the site (trust.md 17). */
static void
test_stored (void)
{
  const struct
  {
    const char *policy;
    int code; /* -1: allowed */
  } table[] = {
    { POLICY (BY_SITE, BY_PUBLISHER), -1 },
    { POLICY (ACCEPT, ACCEPT), -1 },
    { POLICY (BY_OTHER, BY_PUBLISHER), ATM_TRUST_ERROR_UNKNOWN_KEY },
    { POLICY (REJECT, BY_PUBLISHER), ATM_TRUST_ERROR_REJECTED },
    { POLICY (BY_SITE, BY_OTHER), ATM_TRUST_ERROR_UNKNOWN_KEY },
    { POLICY (BY_SITE, REJECT), ATM_TRUST_ERROR_REJECTED },
  };
  g_autoptr (Host) host = host_new (), loose = host_new ();
  g_autoptr (AtmStoredImage) image = NULL, unproven = NULL;

  write_policy (host, POLICY (BY_SITE, BY_PUBLISHER), HTTP);
  image = pull_ok (host, HTTP, GOOD);
  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      g_autoptr (AtmVerdict) verdict = NULL;
      g_autoptr (GError) error = NULL;

      write_policy (host, table[i].policy, HTTP);
      g_assert_cmpint (atm_judge_stored (&host->system, image, NULL, &verdict, NULL, &error), ==,
                       table[i].code < 0);
      if (table[i].code >= 0)
        g_assert_error (error, ATM_TRUST_ERROR, table[i].code);
    }

  /* Signatures that nobody asked for at the pull are not kept; who asks later hears so. */
  write_policy (loose, POLICY (ACCEPT, BY_PUBLISHER), HTTP);
  unproven = pull_ok (loose, HTTP, GOOD);
  write_policy (loose, POLICY (BY_SITE, BY_PUBLISHER), HTTP);
  {
    g_autoptr (AtmVerdict) verdict = NULL;
    g_autoptr (GError) error = NULL;

    g_assert_false (atm_judge_stored (&loose->system, unproven, NULL, &verdict, NULL, &error));
    g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_UNSIGNED);
    g_clear_pointer (&unproven, atm_stored_image_free);
    unproven = pull_ok (loose, HTTP, GOOD);
    g_assert_true (atm_judge_stored (&loose->system, unproven, NULL, &verdict, NULL, NULL));
  }
}

/* Files are shared with images from elsewhere, names of layers are not. */
static void
test_shared (void)
{
  g_autoptr (Host) host = host_new (), first = host_new ();
  g_autoptr (AtmTestImage) image = new_image (GOOD);
  g_autoptr (AtmStoredImage) stored = NULL, other = NULL;
  g_autofree char *commit = NULL, *later = NULL;

  write_policy (host, POLICY (BY_SITE, BY_PUBLISHER), HTTP);
  commit = atm_test_import_ok (host->store, image, "layout:1");
  (void) atm_test_site_count_files (site);
  stored = pull_ok (host, HTTP, GOOD);
  g_assert_cmpuint (atm_test_site_count_files (site), ==, 0);

  /* Who pulls from the registry later checks the blobs. */
  write_policy (first, POLICY (BY_SITE, BY_PUBLISHER), HTTP);
  other = pull_ok (first, HTTP, GOOD);
  later = atm_test_import_ok (first->store, image, "layout:1");
  g_assert_cmpuint (image->n_stored, ==, 0);
}

/* Objects of a repository on the same disk are copies: nobody writes into two stores at once. */
static void
test_no_links (void)
{
  g_autoptr (Host) host = host_new ();
  g_autoptr (AtmStoredImage) image = NULL;
  g_autoptr (GFile) root = NULL, file = NULL;
  const char *checksum = NULL;
  struct stat here, there;

  write_policy (host, POLICY (BY_SITE, BY_PUBLISHER), BARE);
  image = pull_ok (host, BARE, GOOD);
  g_assert_true (
      ostree_repo_read_commit (host->store->store->repo, image->commit, &root, NULL, NULL, NULL));
  file = g_file_get_child (root, "name");
  checksum = ostree_repo_file_get_checksum (OSTREE_REPO_FILE (file));
  for (guint i = 0; i < 2; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s/objects/%.2s/%s.file",
                                               i == 0 ? host->store->path : site->store->path,
                                               checksum, checksum + 2);

      g_assert_cmpint (stat (path, i == 0 ? &here : &there), ==, 0);
    }
  g_assert_cmpuint (here.st_ino, !=, there.st_ino);
}

/* An old commit stays signed; what tells it from the stored one is when it was signed. */
static void
test_downgrade (void)
{
  const char *const name = "reg.test/ns/aged:1";
  g_autoptr (Host) host = host_new ();
  g_autoptr (AtmStoredImage) image = NULL, none = NULL;
  g_autofree char *old = add_image (name, name, NULL, NULL, NULL);
  g_autoptr (AtmTestImage) newer = new_image ("newer");
  g_autofree char *new = atm_test_site_explode (site, newer, name, name, NULL, NULL);
  g_autoptr (GError) error = NULL;

  atm_test_site_sign_at (site, old, ATM_TEST_SITE_KEY, "20240201T000000");
  atm_test_site_sign_at (site, new, ATM_TEST_SITE_KEY, "20240301T000000");
  write_policy (host, POLICY (BY_SITE, ACCEPT), BARE);
  image = pull_ok (host, BARE, name);
  name_commit (name, old);
  g_assert_false (pull (host, BARE, name, &none, &error));
  g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_DOWNGRADE);
  name_commit (name, new);
  g_clear_pointer (&image, atm_stored_image_free);
  image = pull_ok (host, BARE, name);
}

/* A second signature of the same commit reaches the mirror and the host. */
static void
test_second_key (void)
{
  const char *const name = "reg.test/ns/two:1";
  g_autofree char *ref = atm_ref_encode (name);
  g_autofree char *commit = NULL;
  g_autoptr (Host) host = host_new ();
  g_autoptr (AtmStoredImage) image = NULL;
  g_autoptr (GError) error = NULL;

  write_policy (host, POLICY (BY_SITE, BY_PUBLISHER), HTTP);
  g_assert_false (pull (host, HTTP, name, &image, &error));
  g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_UNKNOWN_KEY);
  g_assert_true (ostree_repo_resolve_rev (site->store->store->repo, ref, FALSE, &commit, NULL));
  atm_test_site_sign (site, commit, ATM_TEST_SITE_KEY);
  atm_test_site_publish (site);
  image = pull_ok (host, HTTP, name);
  g_assert_cmpuint (image->site_signatures->len, ==, 1);
}

/* ---- hostile signatures ---- */

/* @args: what gpg is told to make of the commit, from a message or beside it. */
static void
test_signatures (void)
{
  const struct
  {
    const char *args;
    int code; /* -1: allowed */
  } table[] = {
    { "--detach-sign --local-user " ATM_TEST_SITE_KEY, -1 },
    { "--detach-sign --armor --local-user " ATM_TEST_SITE_KEY, ATM_TRUST_ERROR_SIGNATURE_FORMAT },
    { "--sign --local-user " ATM_TEST_SITE_KEY, ATM_TRUST_ERROR_SIGNATURE_FORMAT },
    { "--detach-sign --local-user " ATM_TEST_SITE_KEY " --local-user " ATM_TEST_OTHER_KEY,
      ATM_TRUST_ERROR_BAD_SIGNATURE },
    { "--detach-sign --local-user " ATM_TEST_OTHER_KEY, ATM_TRUST_ERROR_UNKNOWN_KEY },
    { "--faked-system-time 20240601T000000! --default-sig-expire 1d --detach-sign "
      "--local-user " ATM_TEST_SITE_KEY,
      ATM_TRUST_ERROR_EXPIRED_SIGNATURE },
    { "--export " ATM_TEST_SITE_KEY, ATM_TRUST_ERROR_SIGNATURE_FORMAT },
  };
  const char *const name = "reg.test/ns/signed:1";
  OstreeRepo *repo = site->store->store->repo;
  g_autofree char *commit = add_image (name, name, NULL, NULL, NULL);
  g_autoptr (GVariant) variant = NULL;
  g_autoptr (GBytes) bytes = NULL, altered = NULL, wrong = NULL;
  g_autofree char *copy = NULL;
  gsize length = 0;

  g_assert_true (ostree_repo_load_commit (repo, commit, &variant, NULL, NULL));
  bytes = g_variant_get_data_as_bytes (variant);
  copy = g_memdup2 (g_bytes_get_data (bytes, &length), g_bytes_get_size (bytes));
  copy[length / 2] ^= 1;
  altered = g_bytes_new (copy, length);
  wrong
      = atm_test_signer_run (site->home, altered, "--detach-sign --local-user " ATM_TEST_SITE_KEY);
  for (guint i = 0; i <= G_N_ELEMENTS (table); i++)
    {
      gboolean last = i == G_N_ELEMENTS (table);
      int code = last ? ATM_TRUST_ERROR_BAD_SIGNATURE : table[i].code;
      g_autoptr (Host) host = host_new ();
      g_autoptr (GBytes) signature
          = last ? g_bytes_ref (wrong) : atm_test_signer_run (site->home, bytes, table[i].args);
      g_autoptr (AtmStoredImage) image = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (ostree_repo_write_commit_detached_metadata (repo, commit, NULL, NULL, NULL));
      g_assert_true (ostree_repo_append_gpg_signature (repo, commit, signature, NULL, NULL));
      write_policy (host, POLICY (BY_SITE, ACCEPT), BARE);
      if (pull (host, BARE, name, &image, &error) != (code < 0))
        g_error ("row %u: %s", i, error != NULL ? error->message : "accepted");
      if (code >= 0)
        g_assert_error (error, ATM_TRUST_ERROR, code);
    }
}

/* A verdict on an image of a site needs what the site said. */
static void
test_no_proof (void)
{
  g_autoptr (Host) host = host_new ();
  g_autoptr (AtmStoredImage) image = NULL;
  g_autoptr (AtmVerdict) none = NULL;
  g_autoptr (GError) error = NULL;

  write_policy (host, POLICY (ACCEPT, ACCEPT), BARE);
  image = pull_ok (host, BARE, GOOD);
  g_clear_pointer (&image->site_commit, g_bytes_unref);
  g_assert_false (atm_judge_stored (&host->system, image, NULL, &none, NULL, &error));
  g_assert_error (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_UNSIGNED);
}

/* One verdict, one commit: with that of an image of a registry no tree can be imported. */
static void
test_verdict_of_layers (void)
{
  g_autoptr (Host) host = host_new ();
  g_autoptr (AtmTestImage) image = new_image (GOOD);
  g_autoptr (AtmVerdict) verdict = atm_test_image_judge (image);
  g_autofree char *text = g_strdup_printf ("ostree:%s:" GOOD, place (BARE)), *commit = NULL;
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_origin_parse (text, &origin, NULL));
  g_assert_false (atm_remote_import (host->store->store, origin, verdict, &commit, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_cmpuint (atm_test_count_refs (host->store), ==, 0);
}

/* ---- remotes ---- */

static void
test_remotes (void)
{
  g_autoptr (Host) host = host_new ();
  g_autoptr (AtmStoredImage) image = NULL;
  g_autofree char *policy = NULL, *add = NULL, *strict = NULL, *local = NULL;
  g_autoptr (GError) error = NULL, secret = NULL, keyring = NULL, links = NULL;
  g_autoptr (AtmOrigin) absent = NULL, closed = NULL, checked = NULL, near = NULL;

  policy = g_strdup ("{\"default\":[" ACCEPT "]}");
  write_policy (host, policy, HTTP);
  g_assert_true (atm_origin_parse ("ostree:absent:" GOOD, &absent, NULL));
  g_assert_false (
      atm_pull (&host->system, absent, &no_options, &host->report, &image, NULL, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND);
  g_assert_nonnull (strstr (error->message, "ostree remote add"));

  /* A password in the URL of a remote is not told. Nobody listens there. */
  add = g_strdup_printf ("remote add --repo=%s closed http://user:sesame@127.0.0.1:1/",
                         host->store->path);
  atm_test_ostree (add);
  g_assert_true (atm_origin_parse ("ostree:closed:" GOOD, &closed, NULL));
  g_assert_false (
      atm_pull (&host->system, closed, &no_options, &host->report, &image, NULL, &secret));
  g_assert_null (strstr (secret->message, "sesame"));
  g_assert_nonnull (strstr (secret->message, "ostree:closed:" GOOD));

  /* A repository of this host has a path, and nothing of it is linked into the store. */
  local = g_strdup_printf ("remote add --repo=%s local file://%s", host->store->path,
                           site->store->path);
  atm_test_ostree (local);
  g_assert_true (atm_origin_parse ("ostree:local:" GOOD, &near, NULL));
  g_assert_false (atm_pull (&host->system, near, &no_options, &host->report, &image, NULL, &links));
  g_assert_error (links, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);

  /* Who has written gpg-verify down gets libostree's own check, too: it has no key here. */
  strict = g_strdup_printf ("remote add --repo=%s --set=gpg-verify=true checked %s",
                            host->store->path, site->url);
  atm_test_ostree (strict);
  g_assert_true (atm_origin_parse ("ostree:checked:" GOOD, &checked, NULL));
  g_assert_false (
      atm_pull (&host->system, checked, &no_options, &host->report, &image, NULL, &keyring));
  g_assert_cmpuint (atm_test_count_refs (host->store), ==, 0);
}

/* ---- hostile trees ---- */

/* Each folder holds the next one twice: few objects, and more folders than there are atoms. */
static void
test_endless_tree (void)
{
  const char *const name = "reg.test/ns/endless:1";
  OstreeRepo *repo = site->store->store->repo;
  g_autoptr (Host) host = host_new ();
  g_autofree char *good_ref = atm_ref_encode (GOOD), *meta = NULL, *contents = NULL, *commit = NULL;
  g_autofree guchar *digest = NULL;
  g_autoptr (GFile) good = NULL, root = NULL;
  g_autoptr (OstreeMutableTree) tree = NULL;
  g_autoptr (AtmTestImage) image = new_image (name);
  g_autofree char *whole = atm_test_site_explode (site, image, name, name, NULL, NULL);
  g_autoptr (GVariant) variant = NULL, metadata = NULL;
  g_autoptr (AtmStoredImage) none = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (ostree_repo_read_commit (repo, good_ref, &good, NULL, NULL, NULL));
  meta = g_strdup (ostree_repo_file_tree_get_metadata_checksum (OSTREE_REPO_FILE (good)));
  g_assert_true (ostree_repo_prepare_transaction (repo, NULL, NULL, NULL));
  for (guint i = 0; i < 300; i++)
    {
      g_auto (GVariantBuilder) folders = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(sayay)"));
      g_autoptr (GVariant) dirtree = NULL;

      for (guint j = 0; contents != NULL && j < 2; j++)
        g_variant_builder_add (&folders, "(s@ay@ay)", j == 0 ? "a" : "b",
                               ostree_checksum_to_bytes_v (contents),
                               ostree_checksum_to_bytes_v (meta));
      dirtree = g_variant_ref_sink (g_variant_new (
          "(@a(say)@a(sayay))", g_variant_new_array (G_VARIANT_TYPE ("(say)"), NULL, 0),
          g_variant_builder_end (&folders)));
      g_clear_pointer (&digest, g_free);
      g_assert_true (ostree_repo_write_metadata (repo, OSTREE_OBJECT_TYPE_DIR_TREE, NULL, dirtree,
                                                 &digest, NULL, &error));
      g_free (contents);
      contents = ostree_checksum_from_bytes (digest);
    }
  tree = ostree_mutable_tree_new_from_checksum (repo, contents, meta);
  g_assert_true (ostree_repo_write_mtree (repo, tree, &root, NULL, &error));
  g_assert_true (ostree_repo_load_commit (repo, whole, &variant, NULL, &error));
  metadata = g_variant_get_child_value (variant, 0);
  g_assert_true (ostree_repo_write_commit (repo, NULL, NULL, NULL, metadata,
                                           OSTREE_REPO_FILE (root), &commit, NULL, &error));
  g_assert_true (ostree_repo_commit_transaction (repo, NULL, NULL, &error));
  name_commit (name, commit);

  write_policy (host, POLICY (ACCEPT, ACCEPT), BARE);
  g_assert_false (pull (host, BARE, name, &none, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_SITE);
  g_assert_cmpuint (atm_test_count_refs (host->store), ==, 0);
}

int
main (int argc, char *argv[])
{
  int result = 0;

  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  site = atm_test_site_new ();
  fill_site ();
  g_test_add_func ("/remote/good", test_good);
  g_test_add_func ("/remote/tier", test_tier);
  g_test_add_func ("/remote/policies", test_policies);
  g_test_add_func ("/remote/stored", test_stored);
  g_test_add_func ("/remote/shared", test_shared);
  g_test_add_func ("/remote/no-links", test_no_links);
  g_test_add_func ("/remote/downgrade", test_downgrade);
  g_test_add_func ("/remote/second-key", test_second_key);
  g_test_add_func ("/remote/signatures", test_signatures);
  g_test_add_func ("/remote/no-proof", test_no_proof);
  g_test_add_func ("/remote/verdict-of-layers", test_verdict_of_layers);
  g_test_add_func ("/remote/remotes", test_remotes);
  g_test_add_func ("/remote/refused", test_refused);
  g_test_add_func ("/remote/endless-tree", test_endless_tree);
  result = g_test_run ();
  atm_test_site_free (site);
  return result;
}
