/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "fixtures/scratch.h"
#include "store/store.h"
#include "store/tar-split.h"
#include "util/fd.h"

#define SEGMENT(payload) "{\"type\":2,\"payload\":\"" payload "\",\"position\":0}\n"

/* Files are as long as their names say. */
static gboolean
open_file (gpointer data, const char *path, GInputStream **content_out,
           GCancellable *cancellable G_GNUC_UNUSED, GError **error G_GNUC_UNUSED)
{
  const gsize length = (gsize) g_ascii_strtoull (path, NULL, 10);

  (*(guint *) data)++;
  *content_out
      = g_memory_input_stream_new_from_data (g_strnfill (length, 'x'), (gssize) length, g_free);
  return TRUE;
}

static gboolean
join (const char *list, guint *n_opened, GBytes **bytes_out, GError **error)
{
  g_autoptr (GBytes) bytes = atm_test_bytes (list);
  g_autoptr (GInputStream) stream = g_memory_input_stream_new_from_bytes (bytes);
  g_autoptr (GInputStream) tar = atm_tar_split_new (stream, open_file, n_opened, NULL);

  return atm_read_stream (tar, 1024 * 1024, bytes_out, NULL, error);
}

static void
test_join (void)
{
  static const struct
  {
    const char *list;
    const char *archive;
  } good[] = {
    { "", "" },
    { SEGMENT ("YWJj"), "abc" },
    { SEGMENT ("YWJj") SEGMENT ("") SEGMENT ("ZA=="), "abcd" },
    { SEGMENT ("YWJj") "{\"type\":1,\"name\":\"./"
                       "3\",\"size\":3,\"payload\":\"AAAAAAAAAAA=\"}\n" SEGMENT ("ZA=="),
      "abcxxxd" },
    { "{\"type\":1,\"name\":\"folder/\",\"payload\":null,\"position\":1}\n" SEGMENT ("ZA=="), "d" },
    { "{\"type\":1,\"name\":\"5\",\"size\":0}\n{\"type\":1,\"name_raw\":\"/w==\"}\n", "" },
    { "{\"type\":1,\"name\":\"5\",\"size\":3}\n", "xxx" }, /* the diff ID tells */
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (GError) error = NULL;
      guint n_opened = 0;

      g_test_message ("list %u", i);
      g_assert_true (join (good[i].list, &n_opened, &bytes, &error));
      g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), good[i].archive,
                       strlen (good[i].archive));
      g_assert_cmpuint (n_opened, ==, strchr (good[i].archive, 'x') != NULL ? 1 : 0);
    }
}

static void
test_join_refuses (void)
{
  static const char *const bad[] = {
    "{\"type\":2,\"payload\":\"YWJj\"}", /* cut */
    "\n",
    "[]\n",
    "{}\n",
    SEGMENT ("YWJj") "no JSON\n",
    "{\"type\":0,\"payload\":\"YWJj\"}\n",
    "{\"type\":3,\"payload\":\"YWJj\"}\n",
    "{\"type\":\"2\",\"payload\":\"YWJj\"}\n",
    "{\"type\":2}\n",
    "{\"type\":2,\"payload\":null}\n",
    SEGMENT ("YWJ"),
    SEGMENT ("YW!j"),
    "{\"type\":2,\"payload\":[\"YWJj\"]}\n",
    "{\"type\":1,\"size\":1}\n",
    "{\"type\":1,\"name\":\"1\",\"size\":-1}\n",
    "{\"type\":1,\"name\":\"../1\",\"size\":1}\n",
    "{\"type\":1,\"name\":\"1\",\"size\":2}\n", /* the file is shorter */
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (GError) error = NULL;
      guint n_opened = 0;

      g_test_message ("list %u", i);
      g_assert_false (join (bad[i], &n_opened, &bytes, &error));
      g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER);
      g_assert_null (bytes);
    }
}

static void
test_bounds (void)
{
  g_autofree char *payload = g_strnfill (ATM_TAR_SPLIT_LINE_MAX_BYTES + 128 * 1024, 'A');
  g_autofree char *list = g_strdup_printf ("{\"type\":2,\"payload\":\"%s\"}\n", payload);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  guint n_opened = 0;

  g_assert_false (join (list, &n_opened, &bytes, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER);
  g_clear_error (&error);
  g_assert_false (
      join ("{\"type\":1,\"name_raw\":\"/w==\",\"size\":1}\n", &n_opened, &bytes, &error));
  g_assert_error (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED);
  g_assert_cmpuint (n_opened, ==, 0);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/tar-split/join", test_join);
  g_test_add_func ("/tar-split/join-refuses", test_join_refuses);
  g_test_add_func ("/tar-split/bounds", test_bounds);
  return g_test_run ();
}
