/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/import.h"

#include "store/blocks.h"
#include "store/inflate.h"
#include "store/queue.h"
#include "store/tar.h"
#include "util/error.h"

/*
 * The stages, each in a thread of its own but the first, which is the caller's:
 *
 *   receive -(blob)-> inflate -(hashed)-> hash
 *                             -(parsed)-> parse -(files)-> write, several
 *
 * What they hand on waits in queues with bounds. A thread waits for nothing but a queue and the
 * blob, and holds no lock meanwhile; stages form no circle, so whatever is full is emptied by a
 * thread that can go on, and when the blob ends each stage ends the queue before the next. Whoever
 * fails first leaves the error, stops all queues and cancels the reading of the blob: every thread
 * then ends at the next queue that it comes to.
 */
typedef struct
{
  /* set before the threads begin, and the same until they have ended */
  GInputStream *blob; /* (borrowed): for receive */
  const AtmStoreLimits *limits;
  AtmObjects *objects;       /* (borrowed) */
  GCancellable *cancellable; /* (owned): also cancelled when a stage fails */
  AtmBlockPool *blob_pool;   /* (owned) */
  AtmBlockPool *plain_pool;  /* (owned) */
  AtmQueue *blob_blocks;     /* (owned) */
  AtmQueue *hashed;          /* (owned) */
  AtmQueue *parsed;          /* (owned) */
  AtmQueue *files;           /* (owned) */
  AtmLayer *layer;           /* (owned): has its own lock */

  /* each for one thread while it runs */
  AtmHash *hash;       /* (owned) (nullable): hash */
  guint64 plain_bytes; /* hash */
  char *notice;        /* (owned) (nullable): parse */
  AtmInflate *inflate; /* (owned): inflate */

  GMutex lock;   /* for what follows */
  GError *error; /* (owned) (nullable): the first one */
} Import;

static void
import_init (Import *import, AtmHashType algorithm)
{
  import->cancellable = g_cancellable_new ();
  import->blob_pool = atm_block_pool_new (ATM_BLOB_BLOCK_BYTES);
  import->plain_pool = atm_block_pool_new (ATM_PLAIN_BLOCK_BYTES);
  import->blob_blocks = atm_queue_new (ATM_BLOB_BLOCKS_MAX, (GDestroyNotify) atm_block_unref);
  import->hashed = atm_queue_new (ATM_PLAIN_BLOCKS_MAX, (GDestroyNotify) atm_block_unref);
  import->parsed = atm_queue_new (ATM_PLAIN_BLOCKS_MAX, (GDestroyNotify) atm_block_unref);
  import->files = atm_queue_new (ATM_FILES_WAITING_MAX_BYTES, (GDestroyNotify) atm_tar_file_free);
  import->layer = atm_layer_new ();
  import->hash = atm_hash_new (algorithm);
  g_mutex_init (&import->lock);
}

static void
import_clear (Import *import)
{
  atm_inflate_free (import->inflate);
  atm_queue_free (import->blob_blocks);
  atm_queue_free (import->hashed);
  atm_queue_free (import->parsed);
  atm_queue_free (import->files);
  atm_block_pool_free (import->blob_pool);
  atm_block_pool_free (import->plain_pool);
  atm_layer_free (import->layer);
  atm_hash_free (import->hash);
  g_free (import->notice);
  g_clear_object (&import->cancellable);
  g_clear_error (&import->error);
  g_mutex_clear (&import->lock);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Import, import_clear)

/* Takes the error; later ones are mostly consequences of the first. */
static void
fail (Import *import, GError *error)
{
  g_mutex_lock (&import->lock);
  if (import->error == NULL)
    import->error = g_steal_pointer (&error);
  g_mutex_unlock (&import->lock);
  g_clear_error (&error);

  atm_queue_stop (import->blob_blocks);
  atm_queue_stop (import->hashed);
  atm_queue_stop (import->parsed);
  atm_queue_stop (import->files);
  g_cancellable_cancel (import->cancellable);
}

/* What a stage says after fail(): nobody will see it. */
static gboolean
throw_stopped (GError **error)
{
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "The import has failed elsewhere");
}

static gboolean
receive_block (gpointer user_data, AtmBlock **block_out, GError **error)
{
  Import *import = user_data;
  g_autoptr (AtmBlock) block = atm_block_take (import->blob_pool);

  if (!atm_block_fill (block, import->blob, import->cancellable, error))
    return FALSE;
  *block_out = block->length_bytes > 0 ? g_steal_pointer (&block) : NULL;
  return TRUE;
}

static void
receive (Import *import)
{
  for (;;)
    {
      AtmBlock *block = NULL;
      GError *error = NULL;

      if (!receive_block (import, &block, &error))
        return fail (import, error);
      if (block == NULL)
        return atm_queue_end (import->blob_blocks);
      if (!atm_queue_push (import->blob_blocks, block, 1))
        return;
    }
}

static gboolean
pop_blob_block (gpointer user_data, AtmBlock **block_out, GError **error)
{
  Import *import = user_data;
  gpointer block = NULL;

  if (!atm_queue_pop (import->blob_blocks, &block))
    return throw_stopped (error);
  *block_out = block;
  return TRUE;
}

static gpointer
inflate (gpointer user_data)
{
  Import *import = user_data;

  for (;;)
    {
      g_autoptr (AtmBlock) block = atm_block_take (import->plain_pool);
      GError *error = NULL;

      if (!atm_inflate_read (import->inflate, block, &error))
        {
          fail (import, error);
          return NULL;
        }
      if (block->length_bytes == 0)
        break;
      if (!atm_queue_push (import->hashed, atm_block_ref (block), 1)
          || !atm_queue_push (import->parsed, g_steal_pointer (&block), 1))
        return NULL;
    }
  atm_queue_end (import->hashed);
  atm_queue_end (import->parsed);
  return NULL;
}

static void
hash_block (Import *import, const AtmBlock *block)
{
  atm_hash_update (import->hash, block->data, block->length_bytes);
  import->plain_bytes += block->length_bytes;
}

static gpointer
hash (gpointer user_data)
{
  Import *import = user_data;
  gpointer item = NULL;

  while (atm_queue_pop (import->hashed, &item) && item != NULL)
    {
      g_autoptr (AtmBlock) block = item;

      hash_block (import, block);
    }
  return NULL;
}

static gboolean
pop_plain_block (gpointer user_data, AtmBlock **block_out, GError **error)
{
  Import *import = user_data;
  gpointer block = NULL;

  if (!atm_queue_pop (import->parsed, &block))
    return throw_stopped (error);
  *block_out = block;
  return TRUE;
}

static gboolean
push_file (gpointer user_data, AtmTarFile *file, GError **error)
{
  Import *import = user_data;

  if (!atm_queue_push (import->files, file, sizeof *file + file->size_bytes))
    return throw_stopped (error);
  return TRUE;
}

static gpointer
parse (gpointer user_data)
{
  Import *import = user_data;
  const AtmTarEnds ends = { pop_plain_block, push_file, import };
  GError *error = NULL;

  if (atm_tar_read (&ends, import->objects, import->limits, import->layer, &import->notice,
                    import->cancellable, &error))
    atm_queue_end (import->files);
  else
    fail (import, error);
  return NULL;
}

static gboolean
write_file (gpointer user_data, AtmTarFile *file, GError **error)
{
  Import *import = user_data;
  g_autoptr (AtmTarFile) owned = file;
  guint8 checksum[ATM_CHECKSUM_BYTES];

  if (!atm_objects_put_file (import->objects, &owned->inode, owned->data, owned->size_bytes,
                             checksum, import->cancellable, error))
    return FALSE;
  atm_layer_set_checksum (import->layer, owned->index, checksum);
  return TRUE;
}

static gpointer
write_files (gpointer user_data)
{
  Import *import = user_data;
  gpointer file = NULL;
  GError *error = NULL;

  while (atm_queue_pop (import->files, &file) && file != NULL)
    if (!write_file (import, file, &error))
      {
        fail (import, error);
        break;
      }
  return NULL;
}

static void
cancelled (GCancellable *cancellable, gpointer user_data)
{
  GError *error = NULL;

  (void) g_cancellable_set_error_if_cancelled (cancellable, &error);
  fail (user_data, error);
}

/* One core each for inflating and for hashing and reading; the rest writes. */
static guint
count_writers (const AtmStoreLimits *limits)
{
  const guint cores = g_get_num_processors ();

  return MIN (cores > 2 ? cores - 2 : 1, limits->writers_max);
}

static void
run_threads (Import *import)
{
  const struct
  {
    const char *name;
    GThreadFunc function;
    guint count;
  } stages[] = {
    { "inflate", inflate, 1 },
    { "hash", hash, 1 },
    { "parse", parse, 1 },
    { "write", write_files, count_writers (import->limits) },
  };
  g_autoptr (GPtrArray) threads = g_ptr_array_new ();
  GError *error = NULL;

  import->inflate = atm_inflate_new (pop_blob_block, import, import->limits, ATM_GUNZIP_BEST);
  for (guint i = 0; i < G_N_ELEMENTS (stages) && error == NULL; i++)
    for (guint n = 0; n < stages[i].count && error == NULL; n++)
      {
        GThread *thread = g_thread_try_new (stages[i].name, stages[i].function, import, &error);

        if (thread != NULL)
          g_ptr_array_add (threads, thread);
      }
  if (error == NULL)
    receive (import);
  else
    fail (import, error);

  for (guint i = 0; i < threads->len; i++)
    g_thread_join (threads->pdata[i]);
}

static gboolean
inflate_block (gpointer user_data, AtmBlock **block_out, GError **error)
{
  Import *import = user_data;
  g_autoptr (AtmBlock) block = atm_block_take (import->plain_pool);

  if (!atm_inflate_read (import->inflate, block, error))
    return FALSE;
  hash_block (import, block);
  *block_out = block->length_bytes > 0 ? g_steal_pointer (&block) : NULL;
  return TRUE;
}

static void
run_alone (Import *import)
{
  const AtmTarEnds ends = { inflate_block, write_file, import };
  GError *error = NULL;

  import->inflate = atm_inflate_new (receive_block, import, import->limits, ATM_GUNZIP_BEST);
  if (!atm_tar_read (&ends, import->objects, import->limits, import->layer, &import->notice,
                     import->cancellable, &error))
    fail (import, error);
}

void
atm_imported_clear (AtmImported *imported)
{
  g_clear_pointer (&imported->layer, atm_layer_free);
  g_clear_pointer (&imported->notice, g_free);
}

gboolean
atm_import_layer (GInputStream *blob, AtmHashType algorithm, AtmObjects *objects,
                  const AtmStoreLimits *limits, AtmImported *imported_out,
                  GCancellable *cancellable, GError **error)
{
  g_auto (Import) import = { .blob = blob, .limits = limits, .objects = objects };
  gulong handler = 0;

  import_init (&import, algorithm);
  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (cancelled), &import, NULL);
  if (limits->writers_max > 0)
    run_threads (&import);
  else
    run_alone (&import);
  g_cancellable_disconnect (cancellable, handler);
  if (import.error != NULL)
    {
      g_propagate_error (error, g_steal_pointer (&import.error));
      return FALSE;
    }

  imported_out->layer = g_steal_pointer (&import.layer);
  atm_digest_take_hash (algorithm, g_steal_pointer (&import.hash), &imported_out->diff_id);
  imported_out->uncompressed_bytes = import.plain_bytes;
  imported_out->notice = g_steal_pointer (&import.notice);
  return TRUE;
}
