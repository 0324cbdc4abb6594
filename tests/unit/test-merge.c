/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <string.h>

#include "fixtures/import.h"
#include "fixtures/layer.h"
#include "fixtures/scratch.h"
#include "store/import.h"
#include "store/layer-commit.h"
#include "store/merge.h"
#include "store/store-private.h"

#define LAYERS_MAX 4

/*
 * Where the rows of registry.md are tested, with the file where it is not this one.
 *
 * 5.3  members, padding, garbage, CRC, frames, truncation: test-inflate; ends of archives:
 *      test-import, ends
 * 5.4  1-3, 6, 7: accepted, refused; 4: test-import, names, refuses-lengths; 5: refused;
 *      test-import, headers (hdrcharset), names, notices (skipped)
 * 5.5  1-3    test-import: headers, names, sizes, refuses-headers
 *      4      test-import: headers, refuses-types
 *      5, 6   test-import: headers, metadata, refuses-headers
 *      7      test-import: sparse, sizes, limits
 *      8-11   accepted
 *      12     accepted, refused; test-import: refuses-lengths
 *      13-16  accepted, refused, many-late-links; test-import: headers
 *      17-25  accepted, refused
 *      26     test-import: xattrs; accepted (devices)
 *      27-29  accepted; test-import: notices, headers (sockets)
 *      30     accepted
 *      31     test-import: metadata, user-mode
 *      32     test-import: metadata
 *      33-36  test-import: xattrs, user-mode, refuses-lengths
 *      37     test-import: metadata, headers
 *      38, 39 test-import: headers, refuses-types
 *      40     accepted
 *      41     test-import: names, deep
 *      42, 43 accepted, refused
 *      44     accepted
 *      45     test-import: metadata
 *      46     accepted
 *      47     test-import: metadata
 * 5.6  accepted, refused
 * 8.7  85     test-store: commit-checks, stored-diff-id; 86-88: test-inflate
 *      89, 90 test-import: ends
 *      91-95  accepted, refused
 *      96     accepted; test-import: notices
 *      97     test-import: names (the program sets the locale as the test does)
 *      98     refused; test-import: notices
 *      99     accepted
 *      100    test-inflate: limits; test-import: limits
 *      101    large-folder
 *      102    test-import: xattrs
 * A layer that is read back merges as the streamed one did: stored-as-streamed.
 */

/* What layers become together: registry.md 5.4 and 5.5. Lists are those of atm_test_list(). */
static const struct
{
  const char *layers[LAYERS_MAX];
  const char *list;
} accepted[] = {
  { { "d etc\nf etc/a 1", "f etc/b 2" }, "etc/ etc/a=1 etc/b=2" },
  { { "" }, "" },
  { { "f a/b/c 1" }, "a/ a/b/ a/b/c=1" },
  { { "f /x 1\nf ./y//z 2\nd ./\nd /" }, "x=1 y/ y/z=2" },
  { { "f A 1\nf a 2" }, "A=1 a=2" },
  { { "d empty" }, "empty/" },
  { { "f d/x 1\nd d" }, "d/ d/x=1" },
  /* 8-11: one kind over another */
  { { "d d\nf d/x 1", "d d" }, "d/ d/x=1" },
  { { "d d\nf d/x 1\nl s d", "d s" }, "d/ d/x=1 s/" },
  { { "f a 1", "d a" }, "a/" },
  { { "d a\nf a/x 1", "f a 2" }, "a=2" },
  { { "d a\nf a/x 1", "l a b" }, "a>b" },
  { { "f t 1\nl a t", "f a 2" }, "a=2 t=1" },
  { { "f a 1", "d a\nf a/x 2", "f a 3" }, "a=3" },
  { { "f a 1", "d a\nf a/x 2", "f a 3", "d a" }, "a/" },
  /* 12: symlinks */
  { { "l a /nowhere\nl b ../../x\nl c t/../u" }, "a>/nowhere b>../../x c>t/../u" },
  /* 13-15: hard links */
  { { "f a 1", "h b a" }, "a=1 b=1" },
  { { "f a 1", "h b a\nf a 2" }, "a=2 b=1" },
  { { "f a 1", "f a 2\nh b a" }, "a=2 b=2" },
  { { "l a x", "h b a" }, "a>x b>x" },
  { { "h b a\nf a 1" }, "a=1 b=1" },
  { { "h c b\nh b a\nf a 1" }, "a=1 b=1 c=1" },
  { { "h b a\nf b 9\nf a 1" }, "a=1 b=9" },
  { { "f a 1", "h a a" }, "a=1" },
  { { "f a 1\nh a a" }, "a=1" },
  { { "d d\nf d/f 1", "h d d/f" }, "d=1" },
  { { "d r\nf r/f 1\nl s r", "h x s/f" }, "r/ r/f=1 s>r x=1" },
  { { "f a 1", "h ./b /a" }, "a=1 b=1" },
  /* 17: the last one wins */
  { { "f a 1\nf a 2" }, "a=2" },
  { { "d a\nf a/x 1\nf a 2" }, "a=2" },
  /* 18-23: whiteouts */
  { { "d d\nf d/a 1\nf d/b 2", "f d/.wh.a" }, "d/ d/b=2" },
  { { "d d\nf d/a 1\nd d/s\nf d/s/x 2", "f .wh.d" }, "" },
  { { "f a 1", "f .wh.a\nf a 2" }, "a=2" },
  { { "f a 1", "f a 2\nf .wh.a" }, "a=2" },
  { { "f -x 1", "f -x 2\nf .wh.-x" }, "-x=2" },
  { { "f a 1", "f .wh.b" }, "a=1" },
  { { "f a 1", "d .wh.a" }, "" },
  { { "f a 1", "f .wh.a content" }, "" },
  { { "f a 1", "c .wh.a" }, "" },
  { { "f a 1", "h .wh.a nothing" }, "" },
  { { "d n\nf n/x 1", "f .wh.n\nd n\nf n/y 2" }, "n/ n/y=2" },
  { { "d n\nf n/x 1", "f n/y 2\nf .wh.n" }, "n/ n/y=2" },
  { { "d d\nf d/a 1\nd d/s\nf d/s/b 2", "f d/.wh..wh..opq\nf d/c 3" }, "d/ d/c=3" },
  { { "d d\nf d/a 1\nd d/s\nf d/s/b 2", "f d/c 3\nf d/.wh..wh..opq" }, "d/ d/c=3" },
  { { "d d\nd d/s\nf d/s/b 2", "f d/s/c 3\nf d/.wh..wh..opq" }, "d/ d/s/ d/s/c=3" },
  { { "f a 1", "f b 2\nf .wh..wh..opq" }, "b=2" },
  { { "f a 1", "f d/.wh..wh..opq" }, "a=1 d/" },
  { { "d r\nf r/a 1\nl s r", "f s/.wh.a" }, "r/ s>r" },
  { { "d r\nf r/a 1\nl s r", "f s/.wh..wh..opq" }, "r/ s>r" },
  { { "d r\nf r/a 1\nl s r", "l s r\nf s/.wh.a" }, "r/ s>r" },
  { { "d r\nf r/a 1\nl s r", "d s\nf s/.wh..wh..opq\nf s/b 2" }, "r/ r/a=1 s/ s/b=2" },
  { { "d r\nf r/a 1\nl s r", "f s/.wh.a\nd s" }, "r/ r/a=1 s/" },
  { { "f a 1", "f .wh.a", "f a 2" }, "a=2" },
  /* 24, 5.6: AUFS */
  { { "d .wh..wh.aufs\nf .wh..wh.orph/x 1\nd .wh..wh.plnk\nf a 1" }, "a=1" },
  { { "f .wh..wh.plnk/1.2 X\nh a .wh..wh.plnk/1.2\nh b .wh..wh.plnk/1.2" }, "a=X b=X" },
  { { "h a .wh..wh.plnk/1.2\nf .wh..wh.plnk/1.2 X" }, "a=X" },
  { { "l .wh..wh.plnk/1.2 X\nh a .wh..wh.plnk/1.2" }, "a>X" },
  /* 27-30: what cannot be stored */
  { { "f srv 1", "c srv" }, "" },
  { { "c dev/null\np srv/pipe\nf dev/f 1" }, "dev/ dev/f=1 srv/" },
  { { "f proc/x 1\nf run/y 2" }, "proc/ proc/x=1 run/ run/y=2" },
  /* 42, 5.4: links on the way */
  { { "l a /etc\nf a/passwd x" }, "a>/etc etc/ etc/passwd=x" },
  { { "d etc\nl a /etc", "f a/passwd x" }, "a>/etc etc/ etc/passwd=x" },
  { { "d usr\nd usr/lib\nl lib usr/lib", "f lib/x 1" }, "lib>usr/lib usr/ usr/lib/ usr/lib/x=1" },
  { { "d usr\nd usr/lib\nl lib usr/lib", "d lib/x" }, "lib>usr/lib usr/ usr/lib/ usr/lib/x/" },
  { { "l a ../../../etc\nd etc", "f a/x 1" }, "a>../../../etc etc/ etc/x=1" },
  { { "d p\nd p/q\nl a p/q/..\nf p/f 1", "f a/g 2" }, "a>p/q/.. p/ p/f=1 p/g=2 p/q/" },
  { { "d r\nl a b\nl b r", "f a/x 1" }, "a>b b>r r/ r/x=1" },
  { { "d usr\nd usr/lib\nl lib usr/lib", "f lib/x 1\nl lib foo" },
    "lib>foo usr/ usr/lib/ usr/lib/x=1" },
  { { "d r\nl s r", "f s/a 1\nf r/a 2" }, "r/ r/a=2 s>r" },
  /* 43 */
  { { "f x 1", "f x/y 2" }, "x/ x/y=2" },
};

/* And what is refused. */
static const struct
{
  const char *layers[LAYERS_MAX];
  const char *message; /* a part of it */
} refused[] = {
  { { "f ../x 1" }, "“../x” has a component “..”" },
  { { "f a/../../x 1" }, "component “..”" },
  { { "f a/../x 1" }, "component “..”" },
  { { "f .. 1" }, "component “..”" },
  { { "d a/.." }, "component “..”" },
  { { "f . 1" }, "The root of the layer is not a folder" },
  { { "f / 1" }, "Damaged tar archive" },
  { { "l ./ x" }, "The root of the layer is not a folder" },
  { { "h / x" }, "The root of the layer is not a folder" },
  { { "c /" }, "The root of the layer is not a folder" },
  { { "l a" }, "The target of the symlink is empty" },
  { { "f \xe9 1" }, "“\\xe9” is not valid UTF-8" },
  { { "d \xff/x" }, "“\\xff/x” is not valid UTF-8" },
  { { "l a \xe9" }, "“\\xe9” of the symlink is not valid UTF-8" },
  { { "f a 1\nh b ../a" }, "component “..”" },
  { { "h b a" }, "/b: the target /a of the hard link does not exist" },
  { { "f c 1", "h b a\nh d c" }, "/b: the target /a of the hard link does not exist" },
  { { "h a b\nh b a" }, "does not exist" },
  { { "h a a" }, "/a: the target /a of the hard link does not exist" },
  { { "d a", "h b a" }, "/b: a hard link to a folder" },
  { { "d a\nh b a" }, "a hard link to a folder" },
  { { "h b /" }, "a hard link to a folder" },
  { { "h b a\nd a" }, "a hard link to a folder" },
  { { "f a 1", "f .wh.a\nh b a" }, "does not exist" },
  { { "d d\nf d/a 1", "h b d/a\nf d/.wh..wh..opq" }, "does not exist" },
  { { "f a 1", "h b .wh.a" }, "The target of the hard link is a whiteout" },
  { { "h a .wh..wh.plnk/1.2" }, "/a: invalid AUFS hard link" },
  { { "f .wh." }, "“.wh.” is a whiteout of nothing" },
  { { "f d/.wh.." }, "is a whiteout of nothing" },
  { { "f .wh..." }, "is a whiteout of nothing" },
  { { "f .wh.x/y 1" }, "is below a whiteout" },
  { { "d .wh.x\nf .wh.x/y 1" }, "is below a whiteout" },
  { { "f d/.wh.x/y/z 1" }, "is below a whiteout" },
  { { "f .wh..wh..opq/y 1" }, "is below a whiteout" },
  { { "f a 1\nf a/b 2" }, "/a/b: the layer itself has a file where a folder must be" },
  { { "l a a\nf a/x 1" }, "more than 40 links" },
  { { "l a b\nl b a", "f a/x 1" }, "more than 40 links" },
  { { "l a nowhere", "f a/x 1" }, "a link of a lower layer on the way leads nowhere" },
  { { "l a nowhere", "f a/.wh.x" }, "a link of a lower layer on the way leads nowhere" },
  { { "f t 1\nl a t", "f a/x 1" }, "a link on the way leads to what is not a folder" },
  { { "f t 1", "l a t\nf a/x 1" }, "a link on the way leads to what is not a folder" },
};

static void
add_layers (AtmTestImage *image, const char *const *layers, guint from)
{
  for (guint i = from; i < LAYERS_MAX && layers[i] != NULL; i++)
    atm_test_image_add (image, layers[i]);
}

/* All cases share a store: what one of them has stored another one finds, which must not matter. */
static void
test_accepts (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();

  for (guint i = 0; i < G_N_ELEMENTS (accepted); i++)
    {
      g_autoptr (AtmTestImage) image = atm_test_image_new ();
      g_autoptr (GError) error = NULL;
      g_autofree char *first = NULL, *again = NULL, *first_list = NULL, *again_list = NULL;

      g_test_message ("case %u: %s", i, accepted[i].list);
      add_layers (image, accepted[i].layers, 0);
      g_assert_true (atm_test_import (store, image, "first:1", &first, &error)
                     || (g_printerr ("# %s\n", error->message), FALSE));
      first_list = atm_test_list (store, first);
      g_assert_cmpstr (first_list, ==, accepted[i].list);

      /* All layers come from the store now. */
      g_assert_true (atm_test_import (store, image, "again:1", &again, &error));
      g_assert_cmpuint (image->n_stored, ==, image->blobs->len);
      again_list = atm_test_list (store, again);
      g_assert_cmpstr (again_list, ==, accepted[i].list);
    }
  atm_test_fsck (store);
}

static void
test_refuses (void)
{
  g_autoptr (AtmTestStore) store = atm_test_store_new ();

  for (guint i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (AtmTestImage) image = atm_test_image_new ();
      g_autoptr (GError) error = NULL;
      char *commit = NULL;

      g_test_message ("case %u: %s", i, refused[i].message);
      add_layers (image, refused[i].layers, 0);
      g_assert_false (atm_test_import (store, image, "first:1", &commit, &error));
      g_assert_true (error->domain == ATM_STORE_ERROR);
      if (strstr (error->message, refused[i].message) == NULL)
        g_error ("case %u: %s", i, error->message);
      g_assert_null (commit);
    }
  g_assert_cmpuint (atm_test_count_refs (store), ==, 0);
}

/* ---- in memory ---- */

static AtmLayer *
stream_layer (GBytes *blob)
{
  const AtmStoreLimits limits = ATM_STORE_LIMITS_INIT;
  g_autoptr (AtmObjects) objects = atm_objects_new (NULL, FALSE);
  g_autoptr (GInputStream) stream = g_memory_input_stream_new_from_bytes (blob);
  g_auto (AtmImported) imported = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_true (
      atm_import_layer (stream, ATM_HASH_SHA256, objects, &limits, &imported, NULL, &error)
      || (g_printerr ("# %s\n", error->message), FALSE));
  return g_steal_pointer (&imported.layer);
}

static AtmLayer *
load_layer (AtmTestStore *store, const AtmDescriptor *descriptor)
{
  g_autofree char *ref = atm_layer_commit_get_ref (&descriptor->digest);
  g_autofree char *commit = NULL;
  g_autoptr (AtmLayerDraft) draft = NULL;
  g_autoptr (GError) error = NULL;
  AtmLayer *layer = NULL;

  g_assert_true (ostree_repo_resolve_rev (store->store->repo, ref, FALSE, &commit, &error));
  g_assert_true (atm_layer_commit_load (store->store, commit, &draft, &layer, NULL, &error));
  g_assert_nonnull (layer);
  return layer;
}

static int
compare_words (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *) a, *(char *const *) b);
}

/* Everything in a tree, a word for each node, in order. */
static char *
describe (AtmTree *tree)
{
  g_autoptr (GPtrArray) nodes = g_ptr_array_new ();
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);

  g_ptr_array_add (nodes, atm_tree_get_root (tree));
  for (guint i = 0; i < nodes->len; i++)
    {
      AtmNode *node = nodes->pdata[i];
      g_autoptr (GString) word = g_string_new (NULL);
      char hex[OSTREE_SHA256_STRING_LEN + 1];
      GHashTableIter iter;
      gpointer child;

      for (AtmNode *at = node; at->parent != NULL; at = at->parent)
        {
          g_string_prepend (word, at->name);
          g_string_prepend_c (word, '/');
        }
      ostree_checksum_inplace_from_bytes (node->checksum, hex);
      g_string_append_printf (word, " %u %s %s\n", node->kind, hex,
                              node->target != NULL ? node->target : "");
      g_ptr_array_add (words, g_string_free (g_steal_pointer (&word), FALSE));
      if (node->children == NULL)
        continue;
      g_hash_table_iter_init (&iter, node->children);
      while (g_hash_table_iter_next (&iter, NULL, &child))
        g_ptr_array_add (nodes, child);
    }
  g_ptr_array_sort (words, compare_words);
  g_ptr_array_add (words, NULL);
  return g_strjoinv ("", (char **) words->pdata);
}

/* What @layers make of an empty tree, or the words with which they are refused. */
static char *
merge_all (GPtrArray *layers)
{
  const AtmStoreLimits limits = ATM_STORE_LIMITS_INIT;
  const guint8 folder[ATM_CHECKSUM_BYTES] = { 1 };
  g_autoptr (AtmTree) tree = atm_tree_new (folder, &limits);

  for (guint i = 0; i < layers->len; i++)
    {
      g_autofree char *notice = NULL;
      g_autoptr (GError) error = NULL;

      if (!atm_merge_layer (tree, layers->pdata[i], i + 1, &limits, &notice, NULL, &error))
        return g_strdup (error->message);
    }
  return describe (tree);
}

/* A layer on a base that it was not made for: read back from the store it must give what it gives
   when it is streamed, or fail with the same words. */
static void
test_stored_as_streamed (void)
{
  const char *const bases[] = {
    "",
    "d z\nf z/f 0\nl a z\nl d z\nl s z\nl x z\nl lib z\nl r z",
    "f a 7\nf d 7\nf r 7\nf x 7\nf lib 7",
    "d a\nf a/q 7\nd d\nf d/q 7\nd r\nf r/f 7\nd x\nd lib\nl s /lib",
  };
  g_autoptr (AtmTestStore) store = atm_test_store_new ();
  AtmLayer *base_layers[G_N_ELEMENTS (bases)] = { NULL };

  for (guint b = 0; b < G_N_ELEMENTS (bases); b++)
    {
      g_autoptr (GBytes) tar = atm_test_tar_of (bases[b]);

      base_layers[b] = stream_layer (tar);
    }
  for (guint i = 0; i < G_N_ELEMENTS (accepted); i++)
    {
      g_autoptr (AtmTestImage) image = atm_test_image_new ();
      g_autofree char *commit = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (GPtrArray) owned
          = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_layer_free);
      g_autoptr (GPtrArray) stored = g_ptr_array_new (), streamed = g_ptr_array_new ();

      add_layers (image, accepted[i].layers, 0);
      g_assert_true (atm_test_import (store, image, "image:1", &commit, &error));
      g_ptr_array_add (stored, NULL);
      g_ptr_array_add (streamed, NULL);
      for (guint n = image->blobs->len > 1 ? 1 : 0; n < image->blobs->len; n++)
        {
          g_ptr_array_add (stored, load_layer (store, image->descriptors->pdata[n]));
          g_ptr_array_add (streamed, stream_layer (image->blobs->pdata[n]));
          g_ptr_array_add (owned, stored->pdata[stored->len - 1]);
          g_ptr_array_add (owned, streamed->pdata[streamed->len - 1]);
        }
      for (guint b = 0; b < G_N_ELEMENTS (bases); b++)
        {
          g_autofree char *from_store = NULL, *from_stream = NULL;

          g_test_message ("case %u on base %u", i, b);
          stored->pdata[0] = streamed->pdata[0] = base_layers[b];
          from_store = merge_all (stored);
          from_stream = merge_all (streamed);
          g_assert_cmpstr (from_store, ==, from_stream);
        }
    }
  for (guint b = 0; b < G_N_ELEMENTS (bases); b++)
    atm_layer_free (base_layers[b]);
}

static AtmLayer *
new_layer (guint count, AtmEntryKind kind, const char *path_format, const char *target_format)
{
  const AtmStoreLimits limits = ATM_STORE_LIMITS_INIT;
  AtmLayer *layer = atm_layer_new ();

  for (guint i = 0; i < count; i++)
    {
      g_autofree char *path = g_strdup_printf ("%s%u", path_format, i);
      g_autofree char *target
          = target_format != NULL ? g_strdup_printf ("%s%u", target_format, i + 1) : NULL;
      const guint8 checksum[ATM_CHECKSUM_BYTES] = { 2 };

      g_assert_true (atm_layer_add (layer, &limits, kind, path, target, checksum, NULL));
    }
  return layer;
}

/* Each link waits for the next one, and what the last one waits for comes last: the steps that are
   allowed would not do for all of them to be tried again each time one is settled. */
static void
test_many_late_links (void)
{
  const guint count = 100000;
  AtmStoreLimits limits = ATM_STORE_LIMITS_INIT;
  const guint8 folder[ATM_CHECKSUM_BYTES] = { 1 }, checksum[ATM_CHECKSUM_BYTES] = { 2 };
  g_autoptr (AtmLayer) layer = new_layer (count, ATM_ENTRY_HARDLINK, "d/f", "d/f");
  g_autofree char *last = g_strdup_printf ("d/f%u", count), *notice = NULL;
  g_autoptr (AtmTree) tree = atm_tree_new (folder, &limits);
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_layer_add (layer, &limits, ATM_ENTRY_FILE, last, NULL, checksum, &error));
  limits.steps_max = 20 * count;
  g_assert_true (atm_merge_layer (tree, layer, 1, &limits, &notice, NULL, &error));
  g_assert_cmpuint (
      g_hash_table_size (atm_tree_get_child (atm_tree_get_root (tree), "d")->children), ==,
      count + 1);
}

/* More names than OSTree can keep in one folder (registry.md 8.7, row 101). */
static void
test_large_folder (void)
{
  const AtmStoreLimits limits = ATM_STORE_LIMITS_INIT;
  const guint8 folder[ATM_CHECKSUM_BYTES] = { 1 };
  g_autofree char *prefix = g_strnfill (100, 'n'), *path = g_strconcat ("d/", prefix, NULL);
  guint8 contents[ATM_CHECKSUM_BYTES];

  for (guint count = 20000; count <= 200000; count *= 10)
    {
      g_autoptr (AtmLayer) layer = new_layer (count, ATM_ENTRY_FILE, path, NULL);
      g_autoptr (AtmTree) tree = atm_tree_new (folder, &limits);
      g_autoptr (AtmObjects) objects = atm_objects_new (NULL, FALSE);
      g_autofree char *notice = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (atm_merge_layer (tree, layer, 1, &limits, &notice, NULL, &error));
      if (atm_tree_write (tree, objects, contents, NULL, &error))
        g_assert_cmpuint (count, ==, 20000);
      else
        {
          g_assert_cmpuint (count, ==, 200000);
          g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED);
          g_assert_nonnull (strstr (error->message, "The folder /d has too many entries"));
        }
    }
}

int
main (int argc, char *argv[])
{
  setlocale (LC_CTYPE, "C.UTF-8");
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/merge/accepts", test_accepts);
  g_test_add_func ("/merge/refuses", test_refuses);
  g_test_add_func ("/merge/stored-as-streamed", test_stored_as_streamed);
  g_test_add_func ("/merge/many-late-links", test_many_late_links);
  g_test_add_func ("/merge/large-folder", test_large_folder);
  return g_test_run ();
}
