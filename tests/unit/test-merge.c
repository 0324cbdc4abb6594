/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <locale.h>
#include <string.h>

#include "fixtures/import.h"
#include "fixtures/layer.h"
#include "fixtures/scratch.h"

#define LAYERS_MAX 4

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

static void
test_accepts (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (accepted); i++)
    {
      g_autoptr (AtmTestStore) store = atm_test_store_new ();
      g_autoptr (AtmTestImage) image = atm_test_image_new ();
      g_autofree char *first = NULL, *again = NULL, *first_list = NULL, *again_list = NULL;

      g_test_message ("case %u: %s", i, accepted[i].list);
      add_layers (image, accepted[i].layers, 0);
      first = atm_test_import_ok (store, image, "first:1");
      first_list = atm_test_list (store, first);
      g_assert_cmpstr (first_list, ==, accepted[i].list);

      /* All layers come from the store now. */
      again = atm_test_import_ok (store, image, "again:1");
      g_assert_cmpuint (image->n_stored, ==, image->blobs->len);
      again_list = atm_test_list (store, again);
      g_assert_cmpstr (again_list, ==, accepted[i].list);
    }
}

static void
test_refuses (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (AtmTestStore) store = atm_test_store_new ();
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
      g_assert_cmpuint (atm_test_count_refs (store), ==, 0);
    }
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

  for (guint i = 0; i < G_N_ELEMENTS (accepted); i++)
    for (guint b = 0; b < G_N_ELEMENTS (bases); b++)
      {
        g_autoptr (AtmTestStore) store = atm_test_store_new (), fresh = atm_test_store_new ();
        g_autoptr (AtmTestImage) image = atm_test_image_new (), other = atm_test_image_new ();
        g_autofree char *commit = NULL, *stored = NULL, *streamed = NULL;
        g_autofree char *stored_list = NULL, *streamed_list = NULL;
        g_autoptr (GError) error = NULL, stored_error = NULL, streamed_error = NULL;

        g_test_message ("case %u on base %u", i, b);
        add_layers (image, accepted[i].layers, 0);
        g_assert_true (atm_test_import (store, image, "image:1", &commit, &error));

        atm_test_image_add (other, bases[b]);
        add_layers (other, accepted[i].layers, accepted[i].layers[1] != NULL ? 1 : 0);
        if (atm_test_import (store, other, "other:1", &stored, &stored_error))
          g_assert_cmpuint (other->n_stored, >=, other->blobs->len - 1);
        g_assert_cmpint (atm_test_import (fresh, other, "other:1", &streamed, &streamed_error), ==,
                         stored_error == NULL);
        g_assert_cmpstr (stored_error != NULL ? stored_error->message : NULL, ==,
                         streamed_error != NULL ? streamed_error->message : NULL);
        if (stored_error != NULL)
          continue;
        stored_list = atm_test_list (store, stored);
        streamed_list = atm_test_list (fresh, streamed);
        g_assert_cmpstr (stored_list, ==, streamed_list);
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
  return g_test_run ();
}
