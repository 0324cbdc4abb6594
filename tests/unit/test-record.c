/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/record.h"
#include "fixtures/scratch.h"
#include "util/fd.h"
#include "util/json.h"

#define DIGEST_A "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define DIGEST_B "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static AtmRecordEntry *
new_entry (const char *plan_id, const char *verb)
{
  AtmRecordEntry *entry = atm_record_entry_new (plan_id, verb, ATM_RECORD_DONE);

  entry->to.image = g_strdup ("registry.example.org/etcd:latest");
  entry->to.digest = g_strdup (DIGEST_A);
  entry->to.deployment = 1;
  return entry;
}

static const AtmRecordEntry *
get_entry (const AtmRecord *record, guint index)
{
  g_assert_cmpuint (index, <, record->history->len);
  return record->history->pdata[index];
}

/* ---- reading ---- */

static void
test_missing (void)
{
  atm_autofd int checkout_fd = atm_test_scratch_dir ();
  g_autoptr (AtmRecord) record = atm_record_read (checkout_fd, "etcd");

  g_assert_null (record->problem);
  g_assert_false (record->auto_update);
  g_assert_cmpint (record->health_window_sec, ==, ATM_RECORD_HEALTH_WINDOW_DEFAULT);
  g_assert_cmpuint (record->history->len, ==, 0);
  g_assert_null (atm_record_find_refusal (record, DIGEST_A));
  g_assert_null (atm_record_find_refusal (record, NULL));
}

static void
test_parse (void)
{
  const char *const good[] = {
    "{}",
    "{\"health-window\":null,\"later\":[{}]}",
    "{\"auto-update\":true,\"health-window\":0,\"refused\":[],\"history\":[]}",
    "{\"health-window\":86400}",
    "{\"refused\":[{\"digest\":\"" DIGEST_A "\",\"time\":0,\"reason\":\"\"}]}",
    "{\"history\":[{\"plan\":\"p\",\"time\":1,\"verb\":\"install\",\"result\":\"undone\"}]}",
    ("{\"history\":[{\"plan\":\"p\",\"time\":1,\"verb\":\"update\",\"result\":\"switched-back\","
     "\"from\":null,\"to\":{\"deployment\":1,\"image\":null}}]}"),
  };

  for (guint i = 0; i < G_N_ELEMENTS (good); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (good[i]);
      g_autoptr (AtmRecord) record = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (atm_record_parse (bytes, &record, &error));
      g_assert_no_error (error);
      g_assert_null (record->problem);
    }
}

#define ENTRY(more) "{\"history\":[{" more "}]}"
#define WHOLE "\"plan\":\"p\",\"time\":1,\"verb\":\"update\",\"result\":\"done\""

static void
test_parse_refuses (void)
{
  static const struct
  {
    const char *text;
    int code;
  } bad[] = {
    { "", ATM_JSON_ERROR_SYNTAX },
    { "{", ATM_JSON_ERROR_SYNTAX },
    { "{\"auto-update\":true", ATM_JSON_ERROR_SYNTAX },
    { "{\"auto-update\":true,\"auto-update\":false}", ATM_JSON_ERROR_SYNTAX },
    { "[]", ATM_JSON_ERROR_MEMBER },
    { "null", ATM_JSON_ERROR_MEMBER },
    { "{\"auto-update\":\"yes\"}", ATM_JSON_ERROR_MEMBER },
    { "{\"auto-update\":null}", ATM_JSON_ERROR_MEMBER },
    { "{\"auto-update\":1}", ATM_JSON_ERROR_MEMBER },
    { "{\"health-window\":-1}", ATM_JSON_ERROR_MEMBER },
    { "{\"health-window\":86401}", ATM_JSON_ERROR_MEMBER },
    { "{\"health-window\":1.5}", ATM_JSON_ERROR_MEMBER },
    { "{\"health-window\":\"5\"}", ATM_JSON_ERROR_MEMBER },
    { "{\"refused\":{}}", ATM_JSON_ERROR_MEMBER },
    { "{\"refused\":[\"" DIGEST_A "\"]}", ATM_JSON_ERROR_MEMBER },
    { "{\"refused\":[{}]}", ATM_JSON_ERROR_MEMBER },
    { "{\"refused\":[{\"digest\":\"x\",\"time\":1}]}", ATM_JSON_ERROR_MEMBER },
    { "{\"refused\":[{\"digest\":\"x\",\"time\":-1,\"reason\":\"\"}]}", ATM_JSON_ERROR_MEMBER },
    { "{\"refused\":[{\"digest\":null,\"time\":1,\"reason\":\"\"}]}", ATM_JSON_ERROR_MEMBER },
    { "{\"history\":null}", ATM_JSON_ERROR_MEMBER },
    { "{\"history\":[null]}", ATM_JSON_ERROR_MEMBER },
    { ENTRY (""), ATM_JSON_ERROR_MEMBER },
    { ENTRY ("\"time\":1,\"verb\":\"v\",\"result\":\"done\""), ATM_JSON_ERROR_MEMBER },
    { ENTRY ("\"plan\":\"p\",\"time\":1,\"verb\":\"v\",\"result\":\"\""), ATM_JSON_ERROR_MEMBER },
    { ENTRY ("\"plan\":\"p\",\"time\":-1,\"verb\":\"v\",\"result\":\"done\""),
      ATM_JSON_ERROR_MEMBER },
    { ENTRY (WHOLE ",\"accepted-by\":\"me\""), ATM_JSON_ERROR_MEMBER },
    { ENTRY (WHOLE ",\"accepted-by\":[1]"), ATM_JSON_ERROR_MEMBER },
    { ENTRY (WHOLE ",\"note\":[]"), ATM_JSON_ERROR_MEMBER },
    { ENTRY (WHOLE ",\"from\":\"x\""), ATM_JSON_ERROR_MEMBER },
    { ENTRY (WHOLE ",\"from\":{}"), ATM_JSON_ERROR_MEMBER },
    { ENTRY (WHOLE ",\"to\":{\"deployment\":2}"), ATM_JSON_ERROR_MEMBER },
    { ENTRY (WHOLE ",\"to\":{\"deployment\":-1}"), ATM_JSON_ERROR_MEMBER },
    { ENTRY (WHOLE ",\"to\":{\"deployment\":0,\"digest\":7}"), ATM_JSON_ERROR_MEMBER },
  };

  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autoptr (GBytes) bytes = atm_test_bytes (bad[i].text);
      g_autoptr (GError) error = NULL;
      AtmRecord *record = NULL;

      g_test_message ("%s", bad[i].text);
      g_assert_false (atm_record_parse (bytes, &record, &error));
      g_assert_error (error, ATM_JSON_ERROR, bad[i].code);
      g_assert_null (record);
    }
}

/* ---- changes ---- */

static void
test_history (void)
{
  g_autoptr (AtmRecord) record = atm_record_new ();
  AtmRecordEntry *again = NULL;

  for (guint i = 0; i < ATM_RECORD_HISTORY_MAX + 5; i++)
    {
      g_autofree char *id = g_strdup_printf ("plan-%u", i);

      atm_record_add (record, new_entry (id, "update"));
    }
  g_assert_cmpuint (record->history->len, ==, ATM_RECORD_HISTORY_MAX);
  g_assert_cmpstr (get_entry (record, 0)->plan_id, ==, "plan-5");

  again = new_entry ("plan-104", "update");
  again->result = ATM_RECORD_SWITCHED_BACK;
  atm_record_add (record, again);
  g_assert_cmpuint (record->history->len, ==, ATM_RECORD_HISTORY_MAX);
  g_assert_cmpint (get_entry (record, ATM_RECORD_HISTORY_MAX - 1)->result, ==,
                   ATM_RECORD_SWITCHED_BACK);
}

static void
test_refused (void)
{
  g_autoptr (AtmRecord) record = atm_record_new ();

  atm_record_refuse (record, DIGEST_A, "it exited with status 1");
  atm_record_refuse (record, DIGEST_B, "it was never ready");
  atm_record_refuse (record, DIGEST_A, "it exited with status 2");
  g_assert_cmpuint (record->refused->len, ==, 2);
  g_assert_cmpstr (atm_record_find_refusal (record, DIGEST_A)->reason, ==,
                   "it exited with status 2");
  atm_record_forgive (record, DIGEST_A);
  atm_record_forgive (record, DIGEST_A);
  g_assert_null (atm_record_find_refusal (record, DIGEST_A));
  g_assert_nonnull (atm_record_find_refusal (record, DIGEST_B));

  for (guint i = 0; i < ATM_RECORD_REFUSED_MAX; i++)
    {
      g_autofree char *digest = g_strdup_printf ("sha256:%064u", i);

      atm_record_refuse (record, digest, "");
    }
  g_assert_cmpuint (record->refused->len, ==, ATM_RECORD_REFUSED_MAX);
  g_assert_null (atm_record_find_refusal (record, DIGEST_B));
}

/* Foreign texts may be long and no UTF-8; what is written must be read again. */
static void
test_limits (void)
{
  g_autoptr (AtmRecord) record = atm_record_new (), read = NULL;
  g_autoptr (GString) dots = g_string_new (NULL);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  const AtmRecordEntry *last = NULL;

  for (guint i = 0; i < ATM_RECORD_TEXT_MAX_BYTES; i++)
    g_string_append (dots, "…");
  for (guint i = 0; i < ATM_RECORD_HISTORY_MAX; i++)
    {
      g_autofree char *id = g_strdup_printf ("%u", i);
      g_autofree char *bells = g_strnfill (ATM_RECORD_TEXT_MAX_BYTES * 2, '\a');
      AtmRecordEntry *entry = new_entry (id, "update");

      entry->note = g_strdup (dots->str);
      entry->accepted_by = g_new0 (char *, 2 * ATM_RECORD_ACCEPTED_MAX + 1);
      for (guint a = 0; a < 2 * ATM_RECORD_ACCEPTED_MAX; a++)
        entry->accepted_by[a] = g_strdup (bells);
      entry->from.image = g_strdup ("\xff\xfe");
      entry->from.deployment = 0;
      atm_record_add (record, entry);
      atm_record_refuse (record, id, bells);
    }

  bytes = atm_record_to_bytes (record);
  g_assert_cmpuint (g_bytes_get_size (bytes), <=, ATM_RECORD_MAX_BYTES);
  g_assert_true (atm_record_parse (bytes, &read, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (read->refused->len, ==, ATM_RECORD_REFUSED_MAX);
  g_assert_cmpuint (read->history->len, >, 0);
  last = get_entry (read, read->history->len - 1);
  g_assert_cmpstr (last->plan_id, ==, "99");
  g_assert_cmpuint (strlen (last->note), <=, ATM_RECORD_TEXT_MAX_BYTES);
  g_assert_true (g_str_has_suffix (last->note, "…"));
  g_assert_cmpuint (g_strv_length (last->accepted_by), ==, ATM_RECORD_ACCEPTED_MAX);
}

/* ---- files ---- */

static void
test_write (void)
{
  atm_autofd int checkout_fd = atm_test_scratch_dir ();
  g_autoptr (AtmRecord) record = atm_record_new (), read = NULL, gone = NULL;
  g_autoptr (GError) error = NULL;
  AtmRecordEntry *entry = new_entry ("p", "update");
  struct stat st;

  record->auto_update = TRUE;
  record->health_window_sec = 0;
  atm_record_refuse (record, DIGEST_B, "why");
  entry->from.deployment = 0;
  entry->from.digest = g_strdup (DIGEST_B);
  entry->accepted_by = g_strsplit ("one,two", ",", -1);
  atm_record_add (record, entry);
  g_assert_true (atm_record_write (checkout_fd, "etcd", record, &error));
  g_assert_no_error (error);
  g_assert_cmpint (fstatat (checkout_fd, ".storage/containers/etcd", &st, 0), ==, 0);
  g_assert_cmpuint (st.st_mode & 07777, ==, 0600);

  g_assert_true (atm_record_append (checkout_fd, "etcd", new_entry ("q", "rollback"), &error));
  g_assert_true (atm_record_append (checkout_fd, "etcd", new_entry ("q", "rollback"), &error));
  read = atm_record_read (checkout_fd, "etcd");
  g_assert_null (read->problem);
  g_assert_true (read->auto_update);
  g_assert_cmpint (read->health_window_sec, ==, 0);
  g_assert_cmpstr (atm_record_find_refusal (read, DIGEST_B)->reason, ==, "why");
  g_assert_cmpuint (read->history->len, ==, 2);
  g_assert_cmpstr (get_entry (read, 0)->verb, ==, "update");
  g_assert_cmpstr (get_entry (read, 0)->accepted_by[1], ==, "two");
  g_assert_cmpstr (get_entry (read, 0)->from.digest, ==, DIGEST_B);
  g_assert_cmpint (get_entry (read, 0)->from.deployment, ==, 0);
  g_assert_cmpint (get_entry (read, 0)->to.deployment, ==, 1);
  g_assert_cmpint (get_entry (read, 1)->from.deployment, ==, -1);

  g_assert_true (atm_record_remove (checkout_fd, "etcd", &error));
  g_assert_true (atm_record_remove (checkout_fd, "etcd", &error));
  gone = atm_record_read (checkout_fd, "etcd");
  g_assert_false (gone->auto_update);
}

/* No verb is held up by a damaged record, nothing is allowed by it, and it is not lost. */
static void
test_damaged (void)
{
  atm_autofd int checkout_fd = atm_test_scratch_dir (), folder_fd = -1;
  g_autoptr (AtmRecord) fresh = atm_record_new (), damaged = NULL, read = NULL;
  g_autoptr (GBytes) torn = atm_test_bytes ("{\"auto-update\":true"), kept = NULL;
  g_autoptr (GError) error = NULL;

  fresh->auto_update = TRUE;
  g_assert_true (atm_record_write (checkout_fd, "etcd", fresh, &error));
  g_assert_true (atm_open_dir_at (checkout_fd, ".storage/containers", &folder_fd, &error));
  g_assert_true (atm_replace_file_at (folder_fd, "etcd", torn, 0600, &error));
  damaged = atm_record_read (checkout_fd, "etcd");
  g_assert_nonnull (strstr (damaged->problem, "record of etcd"));
  g_assert_false (damaged->auto_update);

  g_assert_true (atm_record_append (checkout_fd, "etcd", new_entry ("p", "update"), &error));
  read = atm_record_read (checkout_fd, "etcd");
  g_assert_null (read->problem);
  g_assert_cmpuint (read->history->len, ==, 1);
  g_assert_true (atm_read_file_at (checkout_fd, ".storage/containers/.etcd.damaged", FALSE, 100,
                                   &kept, &error));
  g_assert_true (g_bytes_equal (kept, torn));

  g_assert_true (atm_record_remove (checkout_fd, "etcd", &error));
  g_assert_cmpint (faccessat (checkout_fd, ".storage/containers/.etcd.damaged", F_OK, 0), ==, -1);
}

/* What is there under the name is no file. */
static void
test_strange (void)
{
  atm_autofd int checkout_fd = atm_test_scratch_dir ();
  g_autoptr (AtmRecord) fresh = atm_record_new (), fifo = NULL, link = NULL, folder = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_record_write (checkout_fd, "x", fresh, &error));
  g_assert_cmpint (mkfifoat (checkout_fd, ".storage/containers/fifo", 0600), ==, 0);
  g_assert_cmpint (symlinkat ("x", checkout_fd, ".storage/containers/link"), ==, 0);
  g_assert_cmpint (mkdirat (checkout_fd, ".storage/containers/folder", 0700), ==, 0);
  fifo = atm_record_read (checkout_fd, "fifo");
  g_assert_nonnull (fifo->problem);
  link = atm_record_read (checkout_fd, "link");
  g_assert_nonnull (link->problem);
  folder = atm_record_read (checkout_fd, "folder");
  g_assert_nonnull (folder->problem);
  g_assert_true (atm_record_write (checkout_fd, "folder", folder, &error));
  g_assert_no_error (error);
  g_assert_true (atm_record_remove (checkout_fd, "folder", &error));
}

/* .storage may be a link to another disk; the folder of the records may not. */
static void
test_places (void)
{
  atm_autofd int checkout_fd = atm_test_scratch_dir ();
  g_autofree char *elsewhere = atm_test_scratch_path ();
  g_autoptr (AtmRecord) record = atm_record_new ();
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (symlinkat (elsewhere, checkout_fd, ".storage"), ==, 0);
  g_assert_true (atm_record_write (checkout_fd, "etcd", record, &error));
  g_assert_true (atm_record_remove (checkout_fd, "etcd", &error));
  g_assert_cmpint (unlinkat (checkout_fd, ".storage/containers", AT_REMOVEDIR), ==, 0);
  g_assert_cmpint (symlinkat ("/", checkout_fd, ".storage/containers"), ==, 0);
  g_assert_false (atm_record_write (checkout_fd, "etcd", record, &error));
  g_assert_nonnull (strstr (error->message, "record of etcd"));
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/record/missing", test_missing);
  g_test_add_func ("/record/parse", test_parse);
  g_test_add_func ("/record/parse-refuses", test_parse_refuses);
  g_test_add_func ("/record/history", test_history);
  g_test_add_func ("/record/refused", test_refused);
  g_test_add_func ("/record/limits", test_limits);
  g_test_add_func ("/record/write", test_write);
  g_test_add_func ("/record/damaged", test_damaged);
  g_test_add_func ("/record/strange", test_strange);
  g_test_add_func ("/record/places", test_places);
  return g_test_run ();
}
