/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "container/plan.h"
#include "fixtures/rootfs.h"
#include "fixtures/scratch.h"
#include "ops/claim.h"
#include "ops/recover.h"
#include "util/fd.h"

#define ID "7b5a6f2e-0f3b-4f0e-9d0e-6f6d3b0c9a11"

static AtmPlan *
sample (void)
{
  AtmPlan *plan = atm_plan_new ("update");
  AtmPlanChange *change = atm_plan_add (plan, "etcd", 0, 1);

  change->builds = change->replaces = change->enabled = TRUE;
  (void) atm_plan_add (plan, "flannel", 1, 0);
  plan->trial = TRUE;
  g_strfreev (plan->running);
  plan->running = g_strsplit ("etcd.service docker.service", " ", -1);
  return plan;
}

static void
test_round_trip (void)
{
  g_autoptr (AtmPlan) plan = sample (), read = NULL, uninstall = NULL, again = NULL;
  g_autoptr (GBytes) bytes = atm_plan_to_bytes (plan), second = NULL;
  g_autoptr (GError) error = NULL;
  const AtmPlanChange *change = NULL;

  g_assert_true (atm_plan_parse (bytes, &read, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (read->id, ==, plan->id);
  g_assert_cmpstr (read->verb, ==, "update");
  g_assert_cmpstr (read->boot_id, ==, plan->boot_id);
  g_assert_true (atm_plan_is_of_this_boot (read));
  g_assert_true (read->trial);
  g_assert_false (read->confirmed);
  g_assert_false (read->purge);
  g_assert_cmpuint (read->changes->len, ==, 2);
  change = read->changes->pdata[0];
  g_assert_cmpstr (change->name, ==, "etcd");
  g_assert_cmpint (change->from, ==, 0);
  g_assert_cmpint (change->to, ==, 1);
  g_assert_true (change->builds && change->replaces && change->enabled);
  change = read->changes->pdata[1];
  g_assert_cmpstr (change->name, ==, "flannel");
  g_assert_false (change->builds || change->replaces || change->enabled);
  g_assert_cmpuint (g_strv_length (read->running), ==, 2);
  g_assert_cmpstr (read->running[1], ==, "docker.service");

  uninstall = atm_plan_new ("uninstall");
  uninstall->purge = TRUE;
  (void) atm_plan_add (uninstall, "etcd", 1, ATM_PLAN_NONE);
  second = atm_plan_to_bytes (uninstall);
  g_assert_true (atm_plan_parse (second, &again, &error));
  g_assert_true (again->purge);
  g_assert_cmpint (((AtmPlanChange *) again->changes->pdata[0])->to, ==, ATM_PLAN_NONE);
  g_assert_cmpuint (g_strv_length (again->running), ==, 0);

  g_free (again->boot_id);
  again->boot_id = g_strdup ("another");
  g_assert_false (atm_plan_is_of_this_boot (again));
}

#define CHANGE                                                                                     \
  "{\"name\":\"a\",\"from\":0,\"to\":1,\"builds\":true,\"replaces\":false,\"enabled\":false}"

/* A whole plan in which @from is replaced by @to. */
static char *
spoil (const char *from, const char *to)
{
  const char *const whole
      = "{\"version\":1,\"id\":\"" ID "\",\"verb\":\"update\",\"boot-id\":\"b\",\"trial\":false,"
        "\"confirmed\":false,\"purge\":false,\"changes\":[" CHANGE "],\"running\":[\"a.service\"]}";
  g_auto (GStrv) parts = g_strsplit (whole, from, 2);

  g_assert_cmpuint (g_strv_length (parts), ==, 2);
  return g_strjoinv (to, parts);
}

static void
test_refuses (void)
{
  const struct
  {
    const char *from, *to;
  } bad[] = {
    { "{\"version\":1,", "[" },
    { "\"version\":1", "\"version\":2" },
    { "\"version\":1", "\"version\":\"1\"" },
    { "\"version\":1,", "" },
    { ID, "" },
    { ID, "7b5a6f2e" },
    { ID, "../../../../etc/passwd" },
    { "update", "upgrade" },
    { "update", "" },
    { ",\"boot-id\":\"b\"", "" },
    { "\"boot-id\":\"b\"", "\"boot-id\":null" },
    { "\"trial\":false", "\"trial\":0" },
    { "\"trial\":false,\"confirmed\":false", "\"trial\":true,\"confirmed\":true" },
    { "\"purge\":false", "\"purge\":false,\"more\":1" },
    { CHANGE, "" },
    { CHANGE, "1" },
    { CHANGE, "null" },
    { CHANGE, CHANGE "," CHANGE },
    { "\"changes\":[" CHANGE "]", "\"changes\":{}" },
    { "\"name\":\"a\"", "\"name\":\"\"" },
    { "\"name\":\"a\"", "\"name\":\"..\"" },
    { "\"name\":\"a\"", "\"name\":\"../a\"" },
    { "\"name\":\"a\"", "\"name\":\"a/b\"" },
    { "\"name\":\"a\"", "\"name\":\".a\"" },
    { "\"name\":\"a\"", "\"name\":7" },
    { "\"from\":0", "\"from\":1" },
    { "\"from\":0", "\"from\":2" },
    { "\"from\":0", "\"from\":-2" },
    { "\"from\":0", "\"from\":0.5" },
    { "\"from\":0", "\"from\":4294967296" },
    { "\"to\":1", "\"to\":-1" }, /* builds nothing */
    { "\"builds\":true,\"replaces\":false", "\"builds\":false,\"replaces\":true" },
    { "\"enabled\":false", "\"enabled\":\"no\"" },
    { "\"enabled\":false", "\"enabled\":false,\"x\":1" },
    { "a.service", "" },
    { "a.service", "a" },
    { "a.service", "../a.service" },
    { "[\"a.service\"]", "[1]" },
    { "[\"a.service\"]", "\"a.service\"" },
    { "]}", "]" },
    { "]}", "]} "
            "x" },
  };
  g_autofree char *good = spoil ("b", "b");
  g_autoptr (GBytes) good_bytes = g_bytes_new (good, strlen (good));
  g_autoptr (AtmPlan) whole = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (atm_plan_parse (good_bytes, &whole, &error));
  g_assert_no_error (error);
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++)
    {
      g_autofree char *text = spoil (bad[i].from, bad[i].to);
      g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));
      AtmPlan *plan = NULL;

      if (atm_plan_parse (bytes, &plan, &error))
        g_error ("accepted: %s", text);
      g_assert_nonnull (error);
      g_assert_null (plan);
      g_clear_error (&error);
    }
}

static void
test_journal (void)
{
  atm_autofd int fd = atm_test_scratch_dir ();
  g_autoptr (AtmPlan) plan = sample (), other = atm_plan_new ("install");
  g_autoptr (GPtrArray) none = NULL, files = NULL, left = NULL;
  g_autoptr (GError) error = NULL;
  const AtmPlanFile *file = NULL;
  gboolean pending = TRUE;
  struct stat st;

  g_assert_true (atm_plan_list (-1, &none, &error));
  g_assert_cmpuint (none->len, ==, 0);
  g_assert_true (atm_plan_remove (plan, fd, &error)); /* there is no journal */

  (void) atm_plan_add (other, "zsh", ATM_PLAN_NONE, 0);
  g_assert_true (atm_plan_write (plan, fd, &error));
  g_assert_true (atm_plan_write (other, fd, &error));
  plan->trial = FALSE;
  plan->confirmed = TRUE;
  g_assert_true (atm_plan_write (plan, fd, &error));
  g_assert_cmpint (fstatat (fd, ".storage/journal/etcd", &st, 0), ==, 0);
  g_assert_cmpint (st.st_mode & 0777, ==, 0600);
  atm_test_write_at (fd, ".storage/journal/broken", "{");
  atm_test_write_at (fd, ".storage/journal/.etcd.0123abcd", "{");
  g_assert_cmpint (linkat (fd, ".storage/journal/zsh", fd, ".storage/journal/moved", 0), ==, 0);

  g_assert_true (atm_plan_list (fd, &files, &error));
  g_assert_cmpuint (files->len, ==, 4);
  file = files->pdata[0];
  g_assert_cmpstr (file->file, ==, "broken");
  g_assert_null (file->plan);
  g_assert_nonnull (file->problem);
  file = files->pdata[1];
  g_assert_cmpstr (file->file, ==, "etcd");
  g_assert_true (file->plan->confirmed);
  g_assert_null (file->problem);
  file = files->pdata[2];
  g_assert_cmpstr (file->file, ==, "moved");
  g_assert_null (file->plan);

  g_assert_true (atm_plan_is_pending (fd, "flannel", &pending, &error) && pending);
  g_assert_true (atm_plan_is_pending (fd, "broken", &pending, &error) && pending);
  g_assert_true (atm_plan_is_pending (fd, "docker", &pending, &error) && !pending);

  g_assert_true (atm_plan_remove (plan, fd, &error));
  g_assert_true (atm_plan_remove (plan, fd, &error));
  g_assert_true (atm_plan_is_pending (fd, "flannel", &pending, &error) && !pending);
  g_assert_true (atm_plan_list (fd, &left, &error));
  g_assert_cmpuint (left->len, ==, 3);
  g_assert_no_error (error);
}

/* ---- which way an interrupted command is recovered ---- */

static void
set_link (int fd, const char *name, int number)
{
  g_autofree char *target = g_strdup_printf ("/check/out/%s.%d", name, number);

  (void) unlinkat (fd, name, 0);
  if (number != ATM_PLAN_NONE)
    g_assert_cmpint (symlinkat (target, fd, name), ==, 0);
}

static void
test_decide (void)
{
  const struct
  {
    const char *verb;
    int from, to, current;
    gboolean trial, confirmed;
    AtmRecovery wanted;
  } cases[] = {
    { "install", ATM_PLAN_NONE, 0, ATM_PLAN_NONE, FALSE, FALSE, ATM_RECOVERY_BACK },
    { "install", ATM_PLAN_NONE, 0, 0, FALSE, FALSE, ATM_RECOVERY_FORWARD },
    { "install", ATM_PLAN_NONE, 0, 0, TRUE, FALSE, ATM_RECOVERY_BACK }, /* it was being undone */
    { "update", 0, 1, 0, FALSE, FALSE, ATM_RECOVERY_BACK },
    { "update", 0, 1, 1, FALSE, FALSE, ATM_RECOVERY_FORWARD },
    { "update", 0, 1, 1, TRUE, FALSE, ATM_RECOVERY_BACK }, /* nobody knows that it runs */
    { "update", 0, 1, 0, TRUE, FALSE, ATM_RECOVERY_BACK },
    { "update", 0, 1, 1, FALSE, TRUE, ATM_RECOVERY_FINISH },
    { "update", 0, 1, 0, FALSE, TRUE, ATM_RECOVERY_BACK }, /* somebody moved the link */
    { "rollback", 1, 0, 0, TRUE, FALSE, ATM_RECOVERY_BACK },
    { "rollback", 1, 0, 0, FALSE, TRUE, ATM_RECOVERY_FINISH },
    { "uninstall", 1, ATM_PLAN_NONE, 1, FALSE, FALSE, ATM_RECOVERY_BACK },
    { "uninstall", 1, ATM_PLAN_NONE, ATM_PLAN_NONE, FALSE, FALSE, ATM_RECOVERY_FORWARD },
  };
  atm_autofd int fd = atm_test_scratch_dir ();

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (AtmPlan) plan = atm_plan_new (cases[i].verb);

      (void) atm_plan_add (plan, "a", cases[i].from, cases[i].to);
      plan->trial = cases[i].trial;
      plan->confirmed = cases[i].confirmed;
      set_link (fd, "a", cases[i].current);
      g_assert_cmpint (atm_recover_decide (fd, plan), ==, cases[i].wanted);
    }
}

/* Of a set all links must be at their targets. */
static void
test_decide_set (void)
{
  atm_autofd int fd = atm_test_scratch_dir ();
  g_autoptr (AtmPlan) plan = atm_plan_new ("update");

  (void) atm_plan_add (plan, "a", 0, 1);
  (void) atm_plan_add (plan, "b", 1, 0);
  set_link (fd, "a", 1);
  set_link (fd, "b", 1);
  g_assert_cmpint (atm_recover_decide (fd, plan), ==, ATM_RECOVERY_BACK);
  set_link (fd, "b", 0);
  g_assert_cmpint (atm_recover_decide (fd, plan), ==, ATM_RECOVERY_FORWARD);
  /* a link that leads elsewhere, and a folder */
  g_assert_cmpint (unlinkat (fd, "b", 0), ==, 0);
  g_assert_cmpint (symlinkat ("/etc", fd, "b"), ==, 0);
  g_assert_cmpint (atm_recover_decide (fd, plan), ==, ATM_RECOVERY_BACK);
  g_assert_cmpint (unlinkat (fd, "b", 0), ==, 0);
  g_assert_cmpint (mkdirat (fd, "b", 0755), ==, 0);
  g_assert_cmpint (atm_recover_decide (fd, plan), ==, ATM_RECOVERY_BACK);
}

/* ---- claims ---- */

static void
note_line (AtmReportKind kind G_GNUC_UNUSED, const char *text, gpointer data)
{
  g_string_append_printf (data, "%s\n", text);
}

static AtmSystem *
make_system (const char *folder, gboolean no_wait)
{
  AtmSystem *system = g_new0 (AtmSystem, 1);

  system->checkout = g_build_filename (folder, "checkout", NULL);
  system->run_dir = g_build_filename (folder, "run", NULL);
  system->no_wait = no_wait;
  return system;
}

static void
test_claims (void)
{
  g_autofree char *folder = g_dir_make_tmp ("atomic-XXXXXX", NULL);
  g_autoptr (AtmSystem) system = make_system (folder, TRUE);
  g_autoptr (GString) said = g_string_new (NULL);
  const AtmReport report = { .line = note_line, .data = said };
  const char *const both[] = { "b", "a", NULL }, *const one[] = { "b", NULL };
  const char *const free_one[] = { "c", NULL };
  g_auto (AtmClaim) claim = { 0 };
  g_auto (AtmClaim) second = { 0 };
  g_auto (AtmClaim) third = { 0 };
  g_autoptr (GError) error = NULL;
  gboolean taken = TRUE;

  g_assert_true (atm_claim_take (&claim, system, both, &report, NULL, &error));
  g_assert_true (atm_claim_has (&claim, "a") && atm_claim_has (&claim, "b"));
  g_assert_false (atm_claim_has (&claim, "c"));
  g_assert_false (atm_claim_take (&second, system, one, &report, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_nonnull (strstr (error->message, "works on b"));
  g_clear_error (&error);
  g_assert_true (atm_claim_try (&second, system, one, &taken, &error));
  g_assert_false (taken);
  g_assert_true (atm_claim_try (&third, system, free_one, &taken, &error));
  g_assert_true (taken);

  atm_claim_clear (&claim);
  g_assert_true (atm_claim_take (&second, system, one, &report, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (said->str, ==, "");
}

/* What cannot be read holds up its own container, and nobody else's. */
static void
test_claim_of_damaged (void)
{
  g_autofree char *folder = g_dir_make_tmp ("atomic-XXXXXX", NULL);
  g_autoptr (AtmSystem) system = make_system (folder, FALSE);
  g_autoptr (GString) said = g_string_new (NULL);
  const AtmReport report = { .line = note_line, .data = said };
  const char *const damaged[] = { "a", NULL }, *const whole[] = { "b", NULL };
  g_auto (AtmClaim) claim = { 0 };
  g_auto (AtmClaim) second = { 0 };
  g_autoptr (GError) error = NULL;
  atm_autofd int fd = -1;

  g_assert_true (atm_make_dirs (system->checkout, 0700, &fd, &error));
  atm_test_write_at (fd, ".storage/journal/a", "{}");
  g_assert_false (atm_claim_take (&claim, system, damaged, &report, NULL, &error));
  g_assert_nonnull (strstr (error->message, ".storage/journal/a"));
  g_clear_error (&error);
  g_assert_true (atm_claim_take (&second, system, whole, &report, NULL, &error));
  g_assert_nonnull (strstr (said->str, ".storage/journal/a"));
}

/* What a run that was killed left goes with the next one, for whatever container; what somebody is
   at work on stays. */
static void
test_sweep (void)
{
  g_autofree char *folder = g_dir_make_tmp ("atomic-XXXXXX", NULL);
  g_autoptr (AtmSystem) system = make_system (folder, FALSE);
  g_autoptr (GString) said = g_string_new (NULL);
  const AtmReport report = { .line = note_line, .data = said };
  const char *const names[] = { "a", NULL }, *const others[] = { "b", NULL };
  g_auto (AtmClaim) claim = { 0 }, other = { 0 };
  g_autoptr (GError) error = NULL;
  gboolean taken = FALSE;
  struct stat st;
  atm_autofd int fd = -1;

  g_assert_true (atm_make_dirs (system->checkout, 0700, &fd, &error));
  for (guint i = 0; i < 2; i++)
    {
      const char *name = i == 0 ? "a" : "b";
      g_autofree char *built = g_strdup_printf (".%s.0.123abc/x", name);
      g_autofree char *plan = g_strdup_printf (".storage/journal/.%s.0123abcd", name);
      g_autofree char *link = g_strdup_printf (".%s.0123abcd", name);

      atm_test_write_at (fd, built, "x");
      atm_test_write_at (fd, plan, "x");
      g_assert_cmpint (symlinkat ("x", fd, link), ==, 0);
    }
  atm_test_write_at (fd, ".b.1.staged/x", "x");
  g_assert_true (atm_claim_try (&other, system, others, &taken, &error));
  g_assert_true (taken);
  g_assert_true (atm_claim_take (&claim, system, names, &report, NULL, &error));
  g_assert_cmpint (fstatat (fd, ".a.0.123abc", &st, 0), <, 0);
  g_assert_cmpint (fstatat (fd, ".storage/journal/.a.0123abcd", &st, 0), <, 0);
  g_assert_cmpint (fstatat (fd, ".a.0123abcd", &st, AT_SYMLINK_NOFOLLOW), <, 0);
  g_assert_cmpint (fstatat (fd, ".b.0.123abc", &st, 0), ==, 0);
  g_assert_cmpint (fstatat (fd, ".storage/journal/.b.0123abcd", &st, 0), ==, 0);

  atm_claim_clear (&other);
  atm_test_write_at (fd, ".a.1.123abc/x", "x");
  g_assert_true (atm_recover (system, FALSE, &report, &error));
  g_assert_cmpint (fstatat (fd, ".a.1.123abc", &st, 0), ==, 0);
  g_assert_cmpint (fstatat (fd, ".b.0.123abc", &st, 0), <, 0);
  g_assert_cmpint (fstatat (fd, ".storage/journal/.b.0123abcd", &st, 0), <, 0);
  g_assert_cmpint (fstatat (fd, ".b.0123abcd", &st, AT_SYMLINK_NOFOLLOW), <, 0);
  g_assert_cmpint (fstatat (fd, ".b.1.staged", &st, 0), ==, 0);
  g_assert_no_error (error);
}

int
main (int argc, char *argv[])
{
  g_test_init (&argc, &argv, G_TEST_OPTION_ISOLATE_DIRS, NULL);
  g_test_add_func ("/plan/round-trip", test_round_trip);
  g_test_add_func ("/plan/refuses", test_refuses);
  g_test_add_func ("/plan/journal", test_journal);
  g_test_add_func ("/recover/decide", test_decide);
  g_test_add_func ("/recover/decide-set", test_decide_set);
  g_test_add_func ("/claim/no-wait", test_claims);
  g_test_add_func ("/claim/damaged", test_claim_of_damaged);
  g_test_add_func ("/claim/sweep", test_sweep);
  return g_test_run ();
}
