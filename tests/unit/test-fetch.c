/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <string.h>

#include "fixtures/faulty.h"
#include "fixtures/import.h"
#include "fixtures/layer.h"
#include "fixtures/registry.h"
#include "fixtures/scratch.h"
#include "ops/fetch.h"

/* Layers from a source that fails as it is told into a real store (registry.md 3.8, 3.9, 8.6). */

#define REFERENCE "reg.test/app:1"

typedef struct
{
  AtmSystem system;    /* its paths (owned) */
  AtmTestStore *store; /* (owned) */
  AtmTestImage *image; /* (owned) */
  AtmSource *source;   /* (owned) */
  AtmReport report;
  AtmPullOptions options;
  GCancellable *cancellable; /* (owned) */

  GMutex lock;   /* of all below: reports come from several threads */
  GString *said; /* (owned): lines, one after the other */
  guint n_copied;
} World;

static void
on_line (AtmReportKind kind, const char *text, gpointer data)
{
  World *world = data;

  g_mutex_lock (&world->lock);
  g_string_append_printf (world->said, "%s\n", text);
  world->n_copied += kind == ATM_REPORT_STEP && g_str_has_prefix (text, "Copying blob ");
  g_mutex_unlock (&world->lock);
  /* the other pull may end, now that this one waits for it */
  if (strstr (text, "waiting for another") != NULL)
    atm_test_faulty_go (world->source);
}

static void
on_progress (const char *what G_GNUC_UNUSED, guint64 done_bytes, guint64 total_bytes,
             gpointer data G_GNUC_UNUSED)
{
  g_assert_cmpuint (done_bytes, <=, total_bytes);
}

static World *
world_new (void)
{
  World *world = g_new0 (World, 1);

  world->store = atm_test_store_new ();
  world->system.repository = g_strdup (world->store->path);
  world->system.checkout = atm_test_scratch_path ();
  world->image = atm_test_image_new ();
  world->source = atm_test_faulty_new ();
  world->report = (AtmReport){ on_line, on_progress, world };
  world->cancellable = g_cancellable_new ();
  world->said = g_string_new (NULL);
  g_mutex_init (&world->lock);
  return world;
}

static void
world_free (World *world)
{
  atm_test_store_free (world->store);
  g_free (world->system.repository);
  g_free (world->system.checkout);
  atm_test_image_free (world->image);
  g_object_unref (world->source);
  g_object_unref (world->cancellable);
  g_string_free (world->said, TRUE);
  g_mutex_clear (&world->lock);
  g_free (world);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (World, world_free)

/* A layer of its own whose blob is of about that size. */
static void
add_layer_of (World *world, guint seed, gsize size)
{
  g_autoptr (GString) lines = g_string_new (NULL);
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

  g_string_append_printf (lines, "f file%u ", seed);
  for (guint i = 0; i < size / 4; i++)
    g_string_append_printf (lines, "%08x", g_rand_int (rand));
  atm_test_image_add (world->image, lines->str);
  atm_test_faulty_add (world->source, world->image->blobs->pdata[world->image->blobs->len - 1]);
}

static void
add_layer (World *world, guint seed)
{
  add_layer_of (world, seed, 50000);
}

static const AtmDescriptor *
get_descriptor (World *world, guint i)
{
  return world->image->descriptors->pdata[i];
}

static void
say (World *world, guint i, AtmTestFault fault, gsize n)
{
  atm_test_faulty_say (world->source, &get_descriptor (world, i)->digest, fault, n);
}

static void
assert_log (World *world, guint i, const char *expected)
{
  g_autofree char *log
      = atm_test_faulty_dup_log (world->source, &get_descriptor (world, i)->digest);

  g_assert_cmpstr (log, ==, expected);
}

/* As ops/pull.c does it after the verdict. */
static gboolean
pull_into (World *world, AtmStore *store, GError **error)
{
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (AtmManifest) manifest = NULL;
  g_autoptr (AtmImageConfig) config = NULL;
  g_autoptr (AtmPartials) partials = NULL;
  g_autoptr (AtmStoreTxn) txn = NULL;
  g_autofree char *commit = NULL;

  verdict = atm_test_image_judge (world->image);
  return atm_manifest_parse (world->image->manifest, &manifest, error)
         && atm_config_parse (world->image->config, manifest, NULL, &config, error)
         && atm_store_txn_begin (store, verdict, &txn, world->cancellable, error)
         && atm_fetch_layers (&world->system, world->source, txn, manifest, config, &world->options,
                              &world->report, &partials, world->cancellable, error)
         && atm_store_txn_commit (txn, REFERENCE, REFERENCE, world->image->manifest,
                                  world->image->config, &commit, world->cancellable, error);
}

static gboolean
pull (World *world, GError **error)
{
  atm_test_image_end (world->image);
  return pull_into (world, world->store->store, error);
}

static guint64
get_partial_size (World *world, guint i)
{
  g_autofree char *path = atm_pull_dup_partials_path (&world->system);
  g_autoptr (AtmPartials) partials = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_partials_open (path, &partials, &error));
  return atm_partials_get_size (partials, &get_descriptor (world, i)->digest);
}

static void
pull_ok (World *world)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (pull (world, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < world->image->descriptors->len; i++)
    g_assert_cmpuint (get_partial_size (world, i), ==, 0);
  atm_test_fsck (world->store);
}

/* Nothing of the image is in the store. */
static void
pull_fails (World *world, GQuark domain, int code)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (pull (world, &error));
  g_assert_error (error, domain, code);
  g_assert_cmpuint (atm_test_count_refs (world->store), ==, 0);
  atm_test_fsck (world->store);
}

static void
test_layers (void)
{
  g_autoptr (World) world = world_new ();

  for (guint i = 0; i < 5; i++)
    add_layer (world, i);
  pull_ok (world);
  g_assert_cmpuint (world->n_copied, ==, 5);
  pull_ok (world);
  g_assert_cmpuint (world->n_copied, ==, 5);
}

/* row 81 */
static void
test_layer_twice (void)
{
  g_autoptr (World) world = world_new ();

  add_layer (world, 1);
  add_layer (world, 2);
  add_layer (world, 1);
  pull_ok (world);
  g_assert_cmpuint (world->n_copied, ==, 2);
  assert_log (world, 0, "0");
}

/* rows 69 and 71 to 79 while the layer is imported: it is imported anew, as often as it takes */
static void
test_import_again (void)
{
  g_autoptr (World) world = world_new ();

  add_layer (world, 1);
  /* the archive is damaged long before anybody knows that the blob is */
  say (world, 0, ATM_TEST_FLIP, 20);
  pull_ok (world);
  assert_log (world, 0, "0 0");
}

static void
test_import_often (void)
{
  g_autoptr (World) world = world_new ();

  add_layer_of (world, 1, 5000000);
  say (world, 0, ATM_TEST_CUT, 1200000);
  say (world, 0, ATM_TEST_FROM_ZERO, 2400000);
  say (world, 0, ATM_TEST_FROM_ZERO, 3600000);
  say (world, 0, ATM_TEST_FROM_ZERO, G_MAXSIZE);
  pull_ok (world);
  assert_log (world, 0, "0 1200000 2400000 3600000");
}

static void
test_damaged (void)
{
  g_autoptr (World) world = world_new ();

  add_layer (world, 1);
  say (world, 0, ATM_TEST_FLIP, 20);
  say (world, 0, ATM_TEST_FLIP, 20);
  /* what is said is the cause, not that the archive cannot be read */
  pull_fails (world, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH);
}

/* A blob that is what the manifest says, and no layer: it is not fetched again. */
static void
test_hostile (void)
{
  g_autoptr (World) world = world_new ();
  GBytes *tar = atm_test_tar_of ("f ../escaped x");
  GBytes *blob = atm_test_gzip (tar);

  atm_test_faulty_add (world->source, blob);
  atm_test_image_take (world->image, blob, tar);
  pull_fails (world, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER);
  assert_log (world, 0, "0");
}

/* row 111 */
static void
test_cancel (void)
{
  g_autoptr (World) world = world_new ();
  GThread *thread = NULL;

  add_layer (world, 1);
  add_layer (world, 2);
  say (world, 0, ATM_TEST_PAUSE, 5000);
  say (world, 1, ATM_TEST_PAUSE, 5000);
  thread = g_thread_new ("cancel", (GThreadFunc) (void (*) (void)) g_cancellable_cancel,
                         world->cancellable);
  pull_fails (world, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  (void) g_thread_join (thread);
}

static gpointer
cancel_when_paused (gpointer data)
{
  World *world = data;

  atm_test_faulty_wait_for_pauses (world->source, 2);
  g_cancellable_cancel (world->cancellable);
  return NULL;
}

static void
test_cancel_in_layer (void)
{
  g_autoptr (World) world = world_new ();
  GThread *thread = NULL;

  add_layer (world, 1);
  add_layer (world, 2);
  say (world, 0, ATM_TEST_PAUSE, 5000);
  say (world, 1, ATM_TEST_PAUSE, 5000);
  thread = g_thread_new ("cancel", cancel_when_paused, world);
  pull_fails (world, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  (void) g_thread_join (thread);
  g_assert_cmpuint (get_partial_size (world, 0), ==, 5000);
  g_assert_cmpuint (get_partial_size (world, 1), ==, 5000);

  /* row 78: what was fetched is not fetched again */
  g_cancellable_reset (world->cancellable);
  pull_ok (world);
  g_assert_cmpuint (atm_test_faulty_get_sent (world->source), ==,
                    get_descriptor (world, 0)->size_bytes + get_descriptor (world, 1)->size_bytes);
}

/* ---- row 80 ---- */

static gpointer
pull_in_thread (gpointer data)
{
  World *world = data;
  g_autoptr (GError) error = NULL;

  g_assert_true (pull_into (world, world->store->store, &error));
  g_assert_no_error (error);
  return NULL;
}

static void
test_two_at_once (void)
{
  g_autoptr (World) world = world_new ();
  g_autoptr (AtmStore) ours = NULL;
  g_autoptr (GError) error = NULL;
  GThread *thread = NULL;

  add_layer (world, 1);
  add_layer (world, 2);
  say (world, 0, ATM_TEST_PAUSE, 5000);
  say (world, 1, ATM_TEST_PAUSE, 5000);
  atm_test_image_end (world->image);
  thread = g_thread_new ("pull", pull_in_thread, world);
  atm_test_faulty_wait_for_pauses (world->source, 2);

  g_assert_true (atm_store_open (world->store->path, FALSE, &ours, NULL, &error));
  g_assert_true (pull_into (world, ours, &error));
  g_assert_no_error (error);
  (void) g_thread_join (thread);
  assert_log (world, 0, "0");
  assert_log (world, 1, "0");
  g_assert_cmpuint (world->n_copied, ==, 2);
  g_assert_nonnull (strstr (world->said->str, "waiting for another atomic process"));
  atm_test_fsck (world->store);
}

/* ---- a real registry ---- */

static void
test_real (void)
{
  g_autoptr (World) world = world_new ();
  g_autoptr (AtmTestRegistry) registry = atm_test_registry_new ();
  g_autoptr (AtmOrigin) origin = NULL;
  g_autoptr (AtmSource) source = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *conf = NULL, *name = NULL;

  if (registry == NULL)
    {
      g_test_skip ("docker-registry is not installed");
      return;
    }
  for (guint i = 0; i < 4; i++)
    {
      g_autofree char *digest = NULL;

      add_layer (world, i);
      digest = atm_test_registry_put_blob (registry, "ns/app", world->image->blobs->pdata[i]);
    }
  conf = g_build_filename (world->system.checkout, "registries.conf", NULL);
  g_assert_true (g_file_set_contents (conf, "", 0, NULL));
  world->system.registries_conf = conf;
  name = g_strdup_printf ("http:%s/ns/app:v1", atm_test_registry_get_host (registry));
  g_assert_true (atm_origin_parse (name, &origin, &error));
  g_assert_true (
      atm_open_source (&world->system, origin, NULL, &world->report, &source, NULL, &error));
  g_assert_no_error (error);
  g_set_object (&world->source, source);
  pull_ok (world);
  g_assert_cmpuint (world->n_copied, ==, 4);
}

/* ---- room ---- */

static void
test_no_space (void)
{
  g_autoptr (World) world = world_new ();
  AtmDescriptor *descriptor = NULL;

  add_layer (world, 1);
  descriptor = world->image->descriptors->pdata[0];
  descriptor->size_bytes = G_GUINT64_CONSTANT (1) << 52;
  pull_fails (world, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  assert_log (world, 0, "");
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  setlocale (LC_CTYPE, "C.UTF-8");
  g_setenv ("GIO_USE_PROXY_RESOLVER", "dummy", TRUE); /* as in main.c */
  g_test_add_func ("/fetch/layers", test_layers);
  g_test_add_func ("/fetch/layer-twice", test_layer_twice);
  g_test_add_func ("/fetch/import-again", test_import_again);
  g_test_add_func ("/fetch/import-often", test_import_often);
  g_test_add_func ("/fetch/damaged", test_damaged);
  g_test_add_func ("/fetch/hostile", test_hostile);
  g_test_add_func ("/fetch/cancel", test_cancel);
  g_test_add_func ("/fetch/cancel-in-layer", test_cancel_in_layer);
  g_test_add_func ("/fetch/two-at-once", test_two_at_once);
  g_test_add_func ("/fetch/real", test_real);
  g_test_add_func ("/fetch/no-space", test_no_space);
  return g_test_run ();
}
