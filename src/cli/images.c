/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <string.h>

#include "cli/table.h"
#include "cli/time.h"
#include "ops/list.h"
#include "util/text.h"

/* command.md 2.6; man/atomic-images.1 describes the members of the JSON */
static const AtmColumn columns[] = {
  { "", NULL, NULL, ATM_COLUMN_STRING, 0, 2 },
  { "REPOSITORY", "repo", "repo,repository", ATM_COLUMN_STRING, 0, 0 },
  { "TAG", "tag", "tag", ATM_COLUMN_STRING, 0, 0 },
  { "IMAGE ID", "id", "id,image", ATM_COLUMN_STRING, 12, 0 },
  { "CREATED", "created", "created", ATM_COLUMN_STRING, 16, 0 },
  { "VIRTUAL SIZE", "virtual_size", "size", ATM_COLUMN_STRING, 0, 0 },
  { "TYPE", "backend", "type", ATM_COLUMN_STRING, 0, 0 },
  { NULL, "type", NULL, ATM_COLUMN_STRING, 0, 0 },
  { NULL, "is_dangling", "is_dangling", ATM_COLUMN_BOOLEAN, 0, 0 },
  { NULL, "used", NULL, ATM_COLUMN_BOOLEAN, 0, 0 },
  { NULL, "vulnerable", NULL, ATM_COLUMN_BOOLEAN, 0, 0 },
  { NULL, "vuln_info", NULL, ATM_COLUMN_OBJECT, 0, 0 },
  /* The last one, which is there with --size only: scripts count the others. */
  { "UNIQUE SIZE", "unique_size", NULL, ATM_COLUMN_STRING, 0, 0 },
};

#define ID_COLUMN 3

/* “repo:tag” and “repo@digest” into what stands before and what is the tag. A layer has neither. */
static void
split_reference (const char *reference, char **repo_out, char **tag_out)
{
  const char *at = NULL, *slash = NULL, *colon = NULL, *end = NULL;

  if (reference == NULL)
    reference = "<none>";
  at = strchr (reference, '@');
  slash = strrchr (reference, '/');
  colon = strrchr (slash != NULL ? slash : reference, ':');
  end = at != NULL ? at : colon;
  *repo_out = end != NULL ? g_strndup (reference, (gsize) (end - reference)) : g_strdup (reference);
  *tag_out = g_strdup (at == NULL && colon != NULL ? colon + 1 : "<none>");
}

static void
add_row (AtmTable *table, const AtmImageRow *row, gboolean with_size)
{
  char *repo = NULL, *tag = NULL;

  split_reference (row->reference, &repo, &tag);
  {
    char *cells[] = {
      g_strdup (row->dangling ? "*"
                : row->used   ? ">"
                              : ""),
      repo,
      tag,
      g_strdup (row->id),
      atm_cli_format_time (row->created_unix),
      row->size_bytes > 0 ? atm_text_size (row->size_bytes) : NULL,
      g_strdup ("ostree"),
      g_strdup ("image"),
      g_strdup (row->dangling ? "true" : "false"),
      g_strdup (row->used ? "true" : "false"),
      g_strdup ("false"),
      NULL,
      with_size && row->reference != NULL ? atm_text_size (row->unique_bytes) : NULL,
    };

    G_STATIC_ASSERT (G_N_ELEMENTS (cells) == G_N_ELEMENTS (columns));
    atm_table_add (table, cells);
  }
}

/* atomic images list [OPTION…]; keep man/atomic-images.1 in step */
gboolean
atm_cmd_images_list (AtmCli *cli, int argc, char **argv, GError **error)
{
  g_auto (AtmTableOptions) options = { 0 };
  g_auto (AtmTable) table = { 0 };
  g_autoptr (GPtrArray) rows = NULL;
  gboolean size = FALSE;
  const GOptionEntry more[] = {
    { "size", 0, 0, G_OPTION_ARG_NONE, &size, "Show what only this image has on the disk, too",
      NULL },
    G_OPTION_ENTRY_NULL,
  };

  if (!atm_table_parse_options ("Lists the images in the store.", "List layers without a name, too",
                                more, argc, argv, &options, error))
    {
      atm_table_init (&table, columns, G_N_ELEMENTS (columns), ID_COLUMN);
      return FALSE;
    }
  atm_table_init (&table, columns, G_N_ELEMENTS (columns) - (size ? 0 : 1), ID_COLUMN);
  if (!atm_list_images (cli->system,
                        (options.all ? ATM_LIST_LAYERS : 0) | (size ? ATM_LIST_UNIQUE_SIZES : 0),
                        &cli->report, &rows, cli->cancellable, error))
    return FALSE;
  for (guint i = 0; i < rows->len; i++)
    add_row (&table, rows->pdata[i], size);
  return atm_table_print (&table, &options, error);
}
