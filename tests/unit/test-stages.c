/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The threads of an import: what they hand on, and how they end when something fails. */
#include <errno.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "fixtures/import.h"
#include "fixtures/layer.h"
#include "store/import.h"
#include "store/queue.h"
#include "store/store-private.h"

/* A deadlock must be a failure, not a test that never ends. */
#define DEADLOCK_SECONDS 300

#define FILES 161
#define ROUNDS 16 /* of each fault */

/* ---- a blob with faults ---- */

typedef struct
{
  GInputStream parent;

  GBytes *bytes; /* (owned) */
  gsize at;
  gsize fault_at;
  gboolean fails;  /* with an error, at @fault_at */
  gboolean stalls; /* at @fault_at, until the read is cancelled */
  GCancellable
      *other; /* (owned) (nullable): cancelled at @fault_at; before it stalls, if it does */
} Faulty;

typedef struct
{
  GInputStreamClass parent;
} FaultyClass;

static GType faulty_get_type (void);
G_DEFINE_TYPE (Faulty, faulty, G_TYPE_INPUT_STREAM)
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Faulty, g_object_unref)

static gpointer
cancel (gpointer data)
{
  g_cancellable_cancel (data);
  return NULL;
}

static gssize
stall (Faulty *self, GCancellable *cancellable, GError **error)
{
  GThread *thread = NULL;
  GPollFD fd = { 0 };

  /* As a signal handler or a main loop would, from elsewhere. */
  if (self->other != NULL)
    thread = g_thread_new ("cancel", cancel, self->other);
  g_assert_true (g_cancellable_make_pollfd (cancellable, &fd));
  g_assert_cmpint (g_poll (&fd, 1, -1), ==, 1);
  g_cancellable_release_fd (cancellable);
  if (thread != NULL)
    g_thread_join (thread);
  g_assert_true (g_cancellable_set_error_if_cancelled (cancellable, error));
  return -1;
}

static gssize
faulty_read (GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable,
             GError **error)
{
  Faulty *self = (Faulty *) stream;
  gsize length = 0;
  const guint8 *data = g_bytes_get_data (self->bytes, &length);
  const gsize end = self->at < self->fault_at ? MIN (length, self->fault_at) : length;
  const gsize n = MIN (count, end - self->at);

  if (self->at == self->fault_at && self->stalls)
    return stall (self, cancellable, error);
  if (self->at == self->fault_at && self->other != NULL)
    g_cancellable_cancel (self->other);
  if (self->at == self->fault_at && self->fails)
    {
      g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE, "the line is cut");
      return -1;
    }
  memcpy (buffer, data + self->at, n);
  self->at += n;
  return (gssize) n;
}

static void
faulty_finalize (GObject *object)
{
  Faulty *self = (Faulty *) object;

  g_bytes_unref (self->bytes);
  g_clear_object (&self->other);
  G_OBJECT_CLASS (faulty_parent_class)->finalize (object);
}

static void
faulty_class_init (FaultyClass *class)
{
  G_OBJECT_CLASS (class)->finalize = faulty_finalize;
  G_INPUT_STREAM_CLASS (class)->read_fn = faulty_read;
}

static void
faulty_init (Faulty *self)
{
  self->fault_at = G_MAXSIZE;
}

static Faulty *
faulty_new (GBytes *bytes)
{
  Faulty *self = g_object_new (faulty_get_type (), NULL);

  self->bytes = g_bytes_ref (bytes);
  return self;
}

/* ---- a layer that fills all queues ---- */

typedef struct
{
  GBytes *tar;     /* (owned) */
  GBytes *gzip;    /* (owned) */
  GArray *headers; /* (owned) (element-type gsize): where in @tar the headers are */
  AtmDescriptor descriptor;
  AtmDigest diff_id;
} Sample;

/* Files that cannot be compressed, most of them small, some larger than may be kept in memory. */
static void
sample_init (Sample *sample)
{
  g_autoptr (AtmTestTar) tar = atm_test_tar_new ();
  g_autoptr (GRand) rand = g_rand_new_with_seed (11);
  const gsize most = 3 * ATM_FILE_BUFFERED_MAX_BYTES;
  g_autofree char *noise = g_malloc0 (most + 1);

  sample->headers = g_array_new (FALSE, FALSE, sizeof (gsize));
  for (gsize i = 0; i < most; i++)
    noise[i] = (char) (1 + g_rand_int (rand) % 255);
  for (guint i = 0; i < FILES; i++)
    {
      const gsize room = i % 80 == 40 ? most : 100 * 1024;
      const gsize length = (gsize) g_rand_int_range (rand, (gint32) room / 2, (gint32) room);
      const gsize at = atm_test_tar_get_size (tar);
      g_autofree char *path = g_strdup_printf ("d%u/f%u", i % 7, i);

      g_array_append_val (sample->headers, at);
      atm_test_tar_add (tar, '0', path, 0644, NULL, noise + most - length);
    }
  sample->tar = atm_test_tar_end (tar);
  sample->gzip = atm_test_gzip (sample->tar);
  sample->descriptor.media_type = (char *) "application/vnd.oci.image.layer.v1.tar+gzip";
  sample->descriptor.size_bytes = g_bytes_get_size (sample->gzip);
  atm_digest_of (ATM_HASH_SHA256, sample->gzip, &sample->descriptor.digest);
  atm_digest_of (ATM_HASH_SHA256, sample->tar, &sample->diff_id);
}

static void
sample_clear (Sample *sample)
{
  g_bytes_unref (sample->tar);
  g_bytes_unref (sample->gzip);
  g_array_unref (sample->headers);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Sample, sample_clear)

static GBytes *
change (GBytes *bytes, gsize at)
{
  gsize length = 0;
  guint8 *data = g_memdup2 (g_bytes_get_data (bytes, &length), g_bytes_get_size (bytes));

  data[at] ^= 0x55;
  return g_bytes_new_take (data, length);
}

/* ---- tests ---- */

static gpointer
push_numbers (gpointer data)
{
  for (guint i = 1; i <= 1000; i++)
    if (!atm_queue_push (data, GUINT_TO_POINTER (i), i % 3))
      return GUINT_TO_POINTER (i);
  atm_queue_end (data);
  return NULL;
}

static void
free_number (gpointer data)
{
  g_assert_nonnull (data);
}

static void
test_queue (void)
{
  g_autoptr (AtmQueue) queue = atm_queue_new (5, free_number);
  GThread *thread = g_thread_new ("push", push_numbers, queue);
  gpointer item = NULL;

  for (guint i = 1; i <= 1000; i++)
    {
      g_assert_true (atm_queue_pop (queue, &item));
      g_assert_cmpuint (GPOINTER_TO_UINT (item), ==, i);
    }
  for (guint i = 0; i < 2; i++)
    {
      g_assert_true (atm_queue_pop (queue, &item));
      g_assert_null (item);
    }
  g_assert_null (g_thread_join (thread));
}

static gpointer
pop_one (gpointer data)
{
  gpointer item = NULL;

  return GINT_TO_POINTER (atm_queue_pop (data, &item) ? 1 : 2);
}

/* Whoever waits is woken, at either end; what nobody took is freed. */
static void
test_queue_stops (void)
{
  g_autoptr (AtmQueue) full = atm_queue_new (5, free_number);
  g_autoptr (AtmQueue) empty = atm_queue_new (5, free_number);
  GThread *pushing = g_thread_new ("push", push_numbers, full);
  GThread *popping[]
      = { g_thread_new ("pop", pop_one, empty), g_thread_new ("pop", pop_one, empty) };
  gpointer item = NULL;

  /* An item that is larger than the bound goes through, too, when it is alone. */
  g_assert_true (atm_queue_push (empty, GUINT_TO_POINTER (7), 100));
  g_assert_true (atm_queue_pop (full, &item));
  atm_queue_stop (full);
  atm_queue_stop (empty);
  g_assert_nonnull (g_thread_join (pushing));
  for (guint i = 0; i < G_N_ELEMENTS (popping); i++)
    g_assert_nonnull (g_thread_join (popping[i]));
  g_assert_false (atm_queue_pop (full, &item));
  g_assert_false (atm_queue_push (full, GUINT_TO_POINTER (1), 1));
}

static guint
count_stages (void)
{
  const char *const names[] = { "inflate", "hash", "parse", "write" };
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  const char *task;
  guint count = 0;

  while ((task = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/task/%s/comm", task);
      g_autofree char *name = NULL;

      /* Others may end meanwhile. */
      if (!g_file_get_contents (path, &name, NULL, NULL))
        continue;
      for (guint i = 0; i < G_N_ELEMENTS (names); i++)
        count += g_str_equal (g_strchomp (name), names[i]) ? 1 : 0;
    }
  return count;
}

/* However many write: the same list, each checksum with its file. */
static void
test_same_with_any_number (void)
{
  g_auto (Sample) sample = { 0 };
  g_autoptr (GArray) wanted = NULL;

  sample_init (&sample);
  for (guint writers = 0; writers <= 4; writers++)
    {
      AtmStoreLimits limits = ATM_STORE_LIMITS_INIT;
      g_autoptr (GInputStream) blob = g_memory_input_stream_new_from_bytes (sample.gzip);
      g_autoptr (AtmObjects) objects = NULL;
      g_auto (AtmImported) imported = { 0 };
      g_autoptr (GError) error = NULL;

      limits.writers_max = writers;
      objects = atm_objects_new (NULL, FALSE);
      g_assert_true (
          atm_import_layer (blob, ATM_HASH_SHA256, objects, &limits, &imported, NULL, &error));
      g_assert_true (atm_digest_equal (&imported.diff_id, &sample.diff_id));
      g_assert_cmpuint (imported.uncompressed_bytes, ==, g_bytes_get_size (sample.tar));
      g_assert_cmpuint (imported.layer->entries->len, ==, FILES);
      g_assert_cmpuint (count_stages (), ==, 0);
      if (wanted == NULL)
        {
          wanted = g_array_new (FALSE, FALSE, ATM_CHECKSUM_BYTES);
          for (guint i = 0; i < FILES; i++)
            g_array_append_vals (wanted,
                                 g_array_index (imported.layer->entries, AtmEntry, i).checksum, 1);
        }
      for (guint i = 0; i < FILES; i++)
        g_assert_cmpmem (g_array_index (imported.layer->entries, AtmEntry, i).checksum,
                         ATM_CHECKSUM_BYTES, wanted->data + i * ATM_CHECKSUM_BYTES,
                         ATM_CHECKSUM_BYTES);
    }
}

typedef enum
{
  FAULT_NONE,
  FAULT_RECEIVE,
  FAULT_INFLATE,
  FAULT_PARSE,
  FAULT_PARSE_STALLED, /* and the blob does not go on: nobody may wait for it */
  FAULT_WRITE,
  FAULT_CANCEL,
  FAULT_CANCEL_STALLED,
  FAULT_CANCELLED_BEFORE,
  N_FAULTS
} Fault;

/* How far a fault at @at bytes of the archive must let the blob come before it can be noticed. */
static gsize
after_blocks (gsize at, gsize length)
{
  return MIN (length, at + ATM_BLOB_BLOCK_BYTES + 2 * ATM_PLAIN_BLOCK_BYTES);
}

static void
assert_fault (Fault fault, gboolean imported, const GError *error)
{
  if (fault == FAULT_NONE)
    {
      g_assert_no_error (error);
      g_assert_true (imported);
      return;
    }
  g_assert_false (imported);
  g_assert_nonnull (error);
  switch (fault)
    {
    case FAULT_RECEIVE:
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
      break;
    case FAULT_INFLATE:
    case FAULT_PARSE:
    case FAULT_PARSE_STALLED:
      g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER);
      break;
    case FAULT_WRITE:
      g_assert_true (error->domain == G_IO_ERROR);
      g_assert_nonnull (strstr (error->message, g_strerror (EFBIG)));
      break;
    case FAULT_CANCEL:
    case FAULT_CANCEL_STALLED:
    case FAULT_CANCELLED_BEFORE:
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      break;
    case FAULT_NONE:
    case N_FAULTS:
    default:
      g_assert_not_reached ();
    }
}

static void
run_fault (const Sample *sample, AtmTestStore *store, AtmVerdict *verdict, Fault fault, GRand *rand)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (AtmStoreTxn) txn = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_bytes_ref (sample->gzip);
  g_autoptr (Faulty) blob = NULL;
  const gsize gzip_bytes = g_bytes_get_size (sample->gzip);
  const gsize tar_bytes = g_bytes_get_size (sample->tar);
  struct rlimit saved, small;
  gboolean imported;
  gsize at = (gsize) g_rand_int_range (rand, 0, (gint32) gzip_bytes);

  g_assert_true (atm_store_txn_begin (store->store, verdict, &txn, NULL, &error));
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &saved), ==, 0);
  small = saved;
  if (fault == FAULT_INFLATE)
    {
      /* Behind the header, whose time may be anything. */
      g_bytes_unref (bytes);
      bytes = change (sample->gzip, MAX (at, 10));
    }
  if (fault == FAULT_PARSE || fault == FAULT_PARSE_STALLED)
    {
      at = g_array_index (sample->headers, gsize, g_rand_int_range (rand, 0, FILES));
      g_bytes_unref (bytes);
      bytes = change (sample->tar, at);
    }

  blob = faulty_new (bytes);
  blob->fault_at = at;
  blob->fails = fault == FAULT_RECEIVE;
  blob->stalls = fault == FAULT_PARSE_STALLED || fault == FAULT_CANCEL_STALLED;
  if (fault == FAULT_PARSE_STALLED)
    blob->fault_at = after_blocks (at, tar_bytes);
  if (fault == FAULT_CANCEL || fault == FAULT_CANCEL_STALLED)
    blob->other = g_object_ref (cancellable);
  if (fault == FAULT_CANCELLED_BEFORE)
    g_cancellable_cancel (cancellable);
  if (fault == FAULT_WRITE)
    small.rlim_cur = (rlim_t) g_rand_int_range (rand, 4096, 64 * 1024);

  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &small), ==, 0);
  imported = atm_store_txn_add_layer (txn, &sample->descriptor, &sample->diff_id,
                                      G_INPUT_STREAM (blob), cancellable, &error);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &saved), ==, 0);
  g_test_message ("fault %u at %" G_GSIZE_FORMAT ": %s", fault, at,
                  error != NULL ? error->message : "none");
  assert_fault (fault, imported, error);
  g_assert_cmpuint (count_stages (), ==, 0);
}

static void
test_faults (void)
{
  g_auto (Sample) sample = { 0 };
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  g_autoptr (AtmTestImage) image = atm_test_image_new ();
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (GRand) rand = g_rand_new_with_seed (5);

  sample_init (&sample);
  atm_test_image_end (image);
  verdict = atm_test_image_judge (image);
  signal (SIGXFSZ, SIG_IGN);
  for (guint round = 0; round < ROUNDS; round++)
    for (guint fault = 0; fault < N_FAULTS; fault++)
      {
        atm_store_get_limits (store->store)->writers_max = 1 + round % 4;
        run_fault (&sample, store, verdict, fault, rand);
      }
  g_assert_cmpuint (atm_test_count_refs (store), ==, 0);
  atm_test_fsck (store);
}

int
main (int argc, char *argv[])
{
  setlocale (LC_CTYPE, "C.UTF-8");
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  alarm (DEADLOCK_SECONDS);
  g_test_add_func ("/stages/queue", test_queue);
  g_test_add_func ("/stages/queue-stops", test_queue_stops);
  g_test_add_func ("/stages/same-with-any-number", test_same_with_any_number);
  g_test_add_func ("/stages/faults", test_faults);
  return g_test_run ();
}
