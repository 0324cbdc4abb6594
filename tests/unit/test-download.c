/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fixtures/faulty.h"
#include "fixtures/scratch.h"
#include "registry/downloads.h"
#include "util/fd.h"

/* registry.md 8.6, with a source that fails as it is told. */

#define SIZE (300 * 1000)

typedef struct
{
  AtmSource *source; /* (owned) */
  GBytes *blob;      /* (owned) */
  AtmDescriptor descriptor;
  AtmSpool *spool;  /* (owned) */
  AtmBlobPart part; /* (owned): what the file holds already */
  AtmDownloadLimits limits;
  guint64 bytes_per_sec;
  guint n_started, n_notices;
  guint64 done_bytes;
  GCancellable *cancellable; /* (owned) */
} Case;

static GBytes *
make_blob (gsize size, guint32 seed)
{
  guint8 *data = g_malloc (size);
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);

  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) g_rand_int (rand);
  return g_bytes_new_take (data, size);
}

static int
make_file (gconstpointer data, gsize length)
{
  atm_autofd int dir_fd = atm_test_scratch_dir ();
  int fd = openat (dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (pwrite (fd, data, length, 0), ==, (gssize) length);
  return fd;
}

/* @held: the first so many bytes of the blob are in the file. */
static Case *
case_new (gsize held)
{
  Case *self = g_new0 (Case, 1);

  self->blob = make_blob (SIZE, 1);
  self->descriptor.size_bytes = SIZE;
  atm_digest_of (ATM_HASH_SHA256, self->blob, &self->descriptor.digest);
  self->source = atm_test_faulty_new ();
  atm_test_faulty_add (self->source, self->blob);
  self->spool = atm_spool_new (make_file (g_bytes_get_data (self->blob, NULL), held));
  self->part.start_bytes = held;
  self->limits = (AtmDownloadLimits) ATM_DOWNLOAD_LIMITS_INIT;
  self->limits.progress_min_bytes = 1000;
  self->limits.delay_usec = 1;
  self->cancellable = g_cancellable_new ();
  return self;
}

static void
case_free (Case *self)
{
  g_object_unref (self->source);
  g_bytes_unref (self->blob);
  atm_spool_unref (self->spool);
  atm_blob_part_clear (&self->part);
  g_object_unref (self->cancellable);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Case, case_free)

static void
on_started (const AtmDescriptor *descriptor G_GNUC_UNUSED, gpointer data)
{
  ((Case *) data)->n_started++;
}

static void
on_progress (const AtmDescriptor *descriptor G_GNUC_UNUSED, guint64 done_bytes, gpointer data)
{
  ((Case *) data)->done_bytes = done_bytes;
}

static void
on_notice (const char *text, gpointer data)
{
  g_test_message ("%s", text);
  ((Case *) data)->n_notices++;
}

static void
say (Case *self, AtmTestFault fault, gsize n)
{
  atm_test_faulty_say (self->source, &self->descriptor.digest, fault, n);
}

static gboolean
run (Case *self, GError **error)
{
  const AtmDownloadWatch watch = { on_started, on_progress, on_notice, self };
  g_autoptr (AtmRate) rate = atm_rate_new (self->bytes_per_sec);

  return atm_download (self->source, &self->descriptor, &self->part, self->spool, rate,
                       &self->limits, &watch, self->cancellable, error);
}

static void
assert_log (Case *self, const char *expected)
{
  g_autofree char *log = atm_test_faulty_dup_log (self->source, NULL);

  g_assert_cmpstr (log, ==, expected);
}

static void
assert_works (Case *self, const char *expected_log)
{
  g_autoptr (GInputStream) stream = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (run (self, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (self->done_bytes, ==, SIZE);
  stream = atm_spool_open_stream (self->spool);
  g_assert_true (atm_read_stream (stream, SIZE, &bytes, NULL, &error));
  g_assert_true (g_bytes_equal (bytes, self->blob));
  assert_log (self, expected_log);
}

static void
assert_fails (Case *self, GQuark domain, int code, const char *expected_log)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (run (self, &error));
  g_assert_error (error, domain, code);
  assert_log (self, expected_log);
}

/* ---- what is survived ---- */

typedef struct
{
  const char *name;
  gsize held;
  AtmTestFault fault; /* of the first answer … */
  gsize n;
  AtmTestFault fault2; /* … and of the second */
  gsize n2;
  const char *log;
  guint64 sent_bytes;
  guint n_started, n_restarts;
} Survived;

static const Survived survived[] = {
  { "whole", 0, ATM_TEST_WHOLE, 0, ATM_TEST_WHOLE, 0, "0", SIZE, 1, 0 },
  { "row 69: cut, resumed", 0, ATM_TEST_CUT, 150000, ATM_TEST_WHOLE, 0, "0 150000", SIZE, 1, 0 },
  { "row 70: ended early", 0, ATM_TEST_END, 150000, ATM_TEST_WHOLE, 0, "0 150000", SIZE, 1, 0 },
  { "cut twice", 0, ATM_TEST_CUT, 5000, ATM_TEST_END, 5000, "0 5000 10000", SIZE, 1, 0 },
  { "cut, then lost", 0, ATM_TEST_CUT, 5000, ATM_TEST_LOST, 0, "0 5000 5000", SIZE, 1, 0 },
  { "row 71: range ignored", 0, ATM_TEST_CUT, 150000, ATM_TEST_FROM_ZERO, SIZE, "0 150000",
    SIZE + 150000, 1, 1 },
  { "row 76: damaged once", 0, ATM_TEST_FLIP, 7, ATM_TEST_WHOLE, 0, "0 0", SIZE * 2, 1, 1 },
  { "row 78: partial file", 150000, ATM_TEST_WHOLE, 0, ATM_TEST_WHOLE, 0, "150000", SIZE - 150000,
    1, 0 },
  { "partial file, range ignored", 150000, ATM_TEST_FROM_ZERO, SIZE, ATM_TEST_WHOLE, 0, "150000",
    SIZE, 1, 1 },
  { "partial file is all of it", SIZE, ATM_TEST_WHOLE, 0, ATM_TEST_WHOLE, 0, "", 0, 0, 0 },
};

static void
test_survives (gconstpointer data)
{
  const Survived *row = data;
  g_autoptr (Case) self = case_new (row->held);

  say (self, row->fault, row->n);
  say (self, row->fault2, row->n2);
  assert_works (self, row->log);
  g_assert_cmpuint (atm_test_faulty_get_sent (self->source), ==, row->sent_bytes);
  g_assert_cmpuint (self->n_started, ==, row->n_started);
  g_assert_cmpuint (atm_spool_get_restarts (self->spool), ==, row->n_restarts);
}

/* row 79, with some and with all of the bytes; and once more damage on the way */
static void
test_corrupt_partial (void)
{
  const gsize held[] = { 150000, SIZE, SIZE + 1 };
  const char *const logs[] = { "150000 0 0", "0 0", "0 0" };

  for (guint i = 0; i < G_N_ELEMENTS (held); i++)
    {
      g_autoptr (Case) self = case_new (0);
      g_autofree guint8 *garbage = g_malloc0 (SIZE + 1);

      g_assert_cmpint (pwrite (atm_spool_get_fd (self->spool), garbage, held[i], 0), ==,
                       (gssize) held[i]);
      self->part.start_bytes = held[i];
      if (i == 0)
        say (self, ATM_TEST_WHOLE, 0);
      say (self, ATM_TEST_FLIP, 0);
      assert_works (self, logs[i]);
    }
}

/* no limit while there is progress */
static void
test_many_cuts (void)
{
  g_autoptr (Case) self = case_new (0);

  for (guint i = 0; i < 20; i++)
    {
      say (self, ATM_TEST_CUT, 1000);
      say (self, i % 2 == 0 ? ATM_TEST_CUT : ATM_TEST_LOST, 10);
    }
  g_assert_true (run (self, NULL));
  g_assert_cmpuint (atm_test_faulty_get_sent (self->source), ==, SIZE);
  g_assert_cmpuint (self->n_notices, ==, 40);
}

/* ---- what is the end ---- */

typedef struct
{
  const char *name;
  AtmTestFault faults[4];
  gsize ns[4];
  AtmSourceError code;
  const char *log;
} Fatal;

static const Fatal fatal[] = {
  { "row 74: too many bytes", { ATM_TEST_EXCESS }, { 1 }, ATM_SOURCE_ERROR_SIZE, "0" },
  { "far too many bytes", { ATM_TEST_EXCESS }, { 5000 }, ATM_SOURCE_ERROR_SIZE, "0" },
  { "no answer to the first request", { ATM_TEST_LOST }, { 0 }, ATM_SOURCE_ERROR_UNREACHABLE, "0" },
  { "no such blob", { ATM_TEST_MISSING }, { 0 }, ATM_SOURCE_ERROR_NOT_FOUND, "0" },
  { "no such blob any more",
    { ATM_TEST_CUT, ATM_TEST_MISSING },
    { 5000, 0 },
    ATM_SOURCE_ERROR_NOT_FOUND,
    "0 5000" },
  { "three times no progress",
    { ATM_TEST_CUT, ATM_TEST_CUT, ATM_TEST_LOST, ATM_TEST_END },
    { 5000, 999, 0, 999 },
    ATM_SOURCE_ERROR_SIZE,
    "0 5000 5999 5999" },
  { "cut at the same place, range ignored",
    { ATM_TEST_CUT, ATM_TEST_FROM_ZERO, ATM_TEST_FROM_ZERO, ATM_TEST_FROM_ZERO },
    { 5000, 5000, 5000, 5000 },
    ATM_SOURCE_ERROR_SIZE,
    "0 5000 5000 5000" },
};

static void
test_fails (gconstpointer data)
{
  const Fatal *row = data;
  g_autoptr (Case) self = case_new (0);

  for (guint i = 0; i < G_N_ELEMENTS (row->faults); i++)
    say (self, row->faults[i], row->ns[i]);
  assert_fails (self, ATM_SOURCE_ERROR, (int) row->code, row->log);
}

/* row 76 */
static void
test_damaged_twice (void)
{
  g_autoptr (Case) self = case_new (0);

  say (self, ATM_TEST_FLIP, 100);
  say (self, ATM_TEST_FLIP, 299999);
  assert_fails (self, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH, "0 0");
  /* what is known to be wrong is not kept */
  g_assert_cmpint (lseek (atm_spool_get_fd (self->spool), 0, SEEK_END), ==, 0);
}

/* row 77: every read is too slow */
static void
test_slow (void)
{
  g_autoptr (Case) self = case_new (0);

  self->limits.slow_bytes_per_sec = G_MAXUINT64 / 2;
  self->limits.slow_usec = 0;
  self->limits.progress_min_bytes = SIZE;
  assert_fails (self, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE, "0 65536 131072");
}

/* row 82, with a limit on the size of files in place of a disk: the write fails likewise */
static void
test_full (void)
{
  const struct rlimit small = { .rlim_cur = 100000, .rlim_max = RLIM_INFINITY };
  struct rlimit before;
  g_autoptr (Case) self = case_new (0);
  g_autoptr (GError) error = NULL;
  gboolean done = FALSE;

  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  signal (SIGXFSZ, SIG_IGN);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  done = run (self, &error);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  g_assert_false (done);
  g_assert_nonnull (error);
  g_assert_cmpuint (error->domain, ==, G_IO_ERROR);
  /* the partial file is kept */
  g_assert_cmpint (lseek (atm_spool_get_fd (self->spool), 0, SEEK_END), ==, 100000);
  assert_log (self, "0");
}

static void
test_rate (void)
{
  g_autoptr (Case) self = case_new (0);
  gint64 started_usec = g_get_monotonic_time ();

  /* a quarter of a second is free */
  self->bytes_per_sec = SIZE * 2;
  assert_works (self, "0");
  g_assert_cmpint (g_get_monotonic_time () - started_usec, >=, G_USEC_PER_SEC / 5);
}

/* ---- reading while it arrives; cancellation ---- */

static gpointer
run_in_thread (gpointer data)
{
  Case *self = data;
  GError *error = NULL;

  if (!run (self, &error))
    atm_spool_end (self->spool, error);
  return error;
}

static void
test_tail (void)
{
  g_autoptr (Case) self = case_new (0);
  g_autoptr (GInputStream) stream = atm_spool_open_stream (self->spool);
  g_autoptr (GBytes) rest = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree guint8 *first = g_malloc (1000);
  GThread *thread = NULL;
  gsize n = 0;

  say (self, ATM_TEST_PAUSE, 1000);
  thread = g_thread_new ("download", run_in_thread, self);
  /* before the download goes on */
  g_assert_true (g_input_stream_read_all (stream, first, 1000, &n, NULL, &error));
  g_assert_cmpmem (first, n, g_bytes_get_data (self->blob, NULL), 1000);
  atm_test_faulty_go (self->source);
  g_assert_true (atm_read_stream (stream, SIZE, &rest, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (rest), ==, SIZE - 1000);
  g_assert_null (g_thread_join (thread));
}

/* The reader has seen all bytes, and then learns that they were wrong. */
static void
test_restart_is_told (void)
{
  g_autoptr (Case) self = case_new (0);
  g_autoptr (GInputStream) stream = atm_spool_open_stream (self->spool), again = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  GThread *thread = NULL;

  say (self, ATM_TEST_FLIP, 3);
  thread = g_thread_new ("download", run_in_thread, self);
  g_assert_false (atm_read_stream (stream, SIZE * 2, &bytes, NULL, &error));
  g_assert_error (error, ATM_SPOOL_ERROR, ATM_SPOOL_ERROR_RESTARTED);
  g_clear_error (&error);

  g_assert_true (atm_spool_wait (self->spool, NULL, &error));
  again = atm_spool_open_stream (self->spool);
  g_assert_true (atm_read_stream (again, SIZE, &bytes, NULL, &error));
  g_assert_true (g_bytes_equal (bytes, self->blob));
  g_assert_null (g_thread_join (thread));
}

static void
test_cancel (void)
{
  g_autoptr (Case) self = case_new (0);
  g_autoptr (GInputStream) stream = atm_spool_open_stream (self->spool);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL, theirs = NULL;
  GThread *thread = NULL;

  say (self, ATM_TEST_PAUSE, 1000);
  thread = g_thread_new ("download", run_in_thread, self);
  atm_test_faulty_wait_for_pauses (self->source, 1);
  g_cancellable_cancel (self->cancellable);
  theirs = g_thread_join (thread);
  g_assert_error (theirs, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_false (atm_read_stream (stream, SIZE, &bytes, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_cmpint (lseek (atm_spool_get_fd (self->spool), 0, SEEK_END), ==, 1000);
}

/* A delay and the wait for bytes end when the user does not want them any more. */
static void
test_cancel_waits (void)
{
  g_autoptr (Case) self = case_new (0);
  g_autoptr (GCancellable) reader = g_cancellable_new ();
  g_autoptr (GInputStream) stream = atm_spool_open_stream (self->spool);
  g_autoptr (GError) error = NULL, theirs = NULL;
  GThread *thread = NULL;
  char c = 0;

  say (self, ATM_TEST_CUT, 10);
  self->limits.delay_usec = G_MAXINT64 / 100;
  thread = g_thread_new ("download", run_in_thread, self);
  for (guint i = 0; i < 10; i++)
    g_assert_cmpint (g_input_stream_read (stream, &c, 1, NULL, &error), ==, 1);
  g_cancellable_cancel (reader);
  g_assert_cmpint (g_input_stream_read (stream, &c, 1, reader, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_cancellable_cancel (self->cancellable);
  theirs = g_thread_join (thread);
  g_assert_error (theirs, G_IO_ERROR, G_IO_ERROR_CANCELLED);
}

/* ---- several ---- */

static void
ignore_blob (const AtmDescriptor *descriptor G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
}

static void
ignore_progress (const AtmDescriptor *descriptor G_GNUC_UNUSED, guint64 done_bytes G_GNUC_UNUSED,
                 gpointer data G_GNUC_UNUSED)
{
}

static void
ignore_notice (const char *text G_GNUC_UNUSED, gpointer data G_GNUC_UNUSED)
{
}

typedef struct
{
  AtmSource *source;      /* (owned) */
  GPtrArray *blobs;       /* (owned) (element-type GBytes): of SIZE, SIZE + 1 … */
  GPtrArray *descriptors; /* (owned) (element-type AtmDescriptor) */
  AtmPartials *partials;  /* (owned) */
  AtmDownloadsOptions options;
} Several;

static Several *
several_new (guint n, guint jobs)
{
  Several *self = g_new0 (Several, 1);
  g_autofree char *path = atm_test_scratch_path ();
  g_autoptr (GError) error = NULL;

  self->source = atm_test_faulty_new ();
  self->blobs = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  self->descriptors = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_descriptor_free);
  for (guint i = 0; i < n; i++)
    {
      GBytes *blob = make_blob (SIZE + i, i);
      AtmDescriptor *descriptor = g_new0 (AtmDescriptor, 1);

      descriptor->size_bytes = SIZE + i;
      atm_digest_of (ATM_HASH_SHA256, blob, &descriptor->digest);
      g_ptr_array_add (self->blobs, blob);
      g_ptr_array_add (self->descriptors, descriptor);
      atm_test_faulty_add (self->source, blob);
    }
  g_assert_true (atm_partials_open (path, &self->partials, &error));
  self->options = (AtmDownloadsOptions){
    .jobs = jobs,
    .limits = ATM_DOWNLOAD_LIMITS_INIT,
    .watch = { ignore_blob, ignore_progress, ignore_notice, NULL },
  };
  return self;
}

static void
several_free (Several *self)
{
  g_object_unref (self->source);
  g_ptr_array_unref (self->blobs);
  g_ptr_array_unref (self->descriptors);
  atm_partials_free (self->partials);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Several, several_free)

static const AtmDigest *
get_digest (const Several *self, guint i)
{
  return &((const AtmDescriptor *) self->descriptors->pdata[i])->digest;
}

static AtmDownloads *
start (Several *self, GCancellable *cancellable)
{
  return atm_downloads_new (self->source, self->descriptors, self->partials, &self->options,
                            cancellable);
}

static gboolean
read_one (Several *self, AtmDownloads *downloads, guint i, GError **error)
{
  g_autoptr (AtmSpool) spool = NULL;
  g_autoptr (GInputStream) stream = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (!atm_downloads_wait_for (downloads, get_digest (self, i), &spool, error))
    return FALSE;
  stream = atm_spool_open_stream (spool);
  if (!atm_read_stream (stream, SIZE + i, &bytes, NULL, error))
    return FALSE;
  g_assert_true (g_bytes_equal (bytes, self->blobs->pdata[i]));
  atm_downloads_drop (downloads, get_digest (self, i));
  return TRUE;
}

static void
test_several (void)
{
  const guint jobs[] = { 1, 3, ATM_DOWNLOADS_JOBS_MAX };

  for (guint j = 0; j < G_N_ELEMENTS (jobs); j++)
    {
      g_autoptr (Several) self = several_new (7, jobs[j]);
      g_autoptr (AtmDownloads) downloads = start (self, NULL);
      g_autoptr (GError) error = NULL;

      for (guint i = 0; i < 7; i++)
        {
          g_assert_true (read_one (self, downloads, i, &error));
          g_assert_no_error (error);
          g_assert_cmpuint (atm_partials_get_size (self->partials, get_digest (self, i)), ==, 0);
        }
    }
}

/* As many at once as there may be, and those are the largest. */
static void
test_largest_first (void)
{
  g_autoptr (Several) self = several_new (5, 2);
  g_autoptr (AtmDownloads) downloads = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 5; i++)
    atm_test_faulty_say (self->source, get_digest (self, i), ATM_TEST_PAUSE, 10);
  downloads = start (self, NULL);
  atm_test_faulty_wait_for_pauses (self->source, 2);
  for (guint i = 0; i < 5; i++)
    {
      g_autofree char *log = atm_test_faulty_dup_log (self->source, get_digest (self, i));

      g_assert_cmpstr (log, ==, i >= 3 ? "0" : "");
    }
  atm_test_faulty_go (self->source);
  for (guint i = 0; i < 5; i++)
    g_assert_true (read_one (self, downloads, i, &error));
}

/* One failure ends them all, and what the others have fetched is kept. */
static void
test_one_fails (void)
{
  g_autoptr (Several) self = several_new (3, 3);
  g_autoptr (AtmDownloads) downloads = NULL;
  g_autoptr (GError) error = NULL;

  atm_test_faulty_say (self->source, get_digest (self, 0), ATM_TEST_PAUSE, 1000);
  atm_test_faulty_say (self->source, get_digest (self, 1), ATM_TEST_PAUSE, 1000);
  atm_test_faulty_say (self->source, get_digest (self, 2), ATM_TEST_MISSING, 0);
  downloads = start (self, NULL);
  g_assert_false (read_one (self, downloads, 0, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND);
  g_clear_error (&error);
  g_assert_false (read_one (self, downloads, 1, &error));
  g_assert_error (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND);
}

static void
test_cancel_several (void)
{
  g_autoptr (Several) self = several_new (4, 3);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (AtmDownloads) downloads = NULL;
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < 4; i++)
    atm_test_faulty_say (self->source, get_digest (self, i), ATM_TEST_PAUSE, 1000);
  downloads = start (self, cancellable);
  atm_test_faulty_wait_for_pauses (self->source, 3);
  g_cancellable_cancel (cancellable);
  g_assert_false (read_one (self, downloads, 0, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_pointer (&downloads, atm_downloads_free);
  for (guint i = 0; i < 4; i++)
    g_assert_cmpuint (atm_partials_get_size (self->partials, get_digest (self, i)), ==,
                      i > 0 ? 1000 : 0);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (survived); i++)
    {
      g_autofree char *path = g_strconcat ("/download/survives/", survived[i].name, NULL);

      g_test_add_data_func (path, &survived[i], test_survives);
    }
  for (guint i = 0; i < G_N_ELEMENTS (fatal); i++)
    {
      g_autofree char *path = g_strconcat ("/download/fails/", fatal[i].name, NULL);

      g_test_add_data_func (path, &fatal[i], test_fails);
    }
  g_test_add_func ("/download/corrupt-partial", test_corrupt_partial);
  g_test_add_func ("/download/many-cuts", test_many_cuts);
  g_test_add_func ("/download/damaged-twice", test_damaged_twice);
  g_test_add_func ("/download/slow", test_slow);
  g_test_add_func ("/download/full", test_full);
  g_test_add_func ("/download/rate", test_rate);
  g_test_add_func ("/download/tail", test_tail);
  g_test_add_func ("/download/restart-is-told", test_restart_is_told);
  g_test_add_func ("/download/cancel", test_cancel);
  g_test_add_func ("/download/cancel-waits", test_cancel_waits);
  g_test_add_func ("/downloads/several", test_several);
  g_test_add_func ("/downloads/largest-first", test_largest_first);
  g_test_add_func ("/downloads/one-fails", test_one_fails);
  g_test_add_func ("/downloads/cancel", test_cancel_several);
  return g_test_run ();
}
