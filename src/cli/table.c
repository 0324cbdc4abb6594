/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/table.h"

#include <json-glib/json-glib.h>

#include "cli/cli.h"
#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

void
atm_table_options_clear (AtmTableOptions *options)
{
  g_clear_pointer (&options->filters, g_strfreev);
}

gboolean
atm_table_parse_options (const char *summary, const char *all, const GOptionEntry *more, int argc,
                         char **argv, AtmTableOptions *options_out, GError **error)
{
  AtmTableOptions parsed = { 0 };
  const GOptionEntry options[] = {
    { "all", 'a', 0, G_OPTION_ARG_NONE, &parsed.all, all, NULL },
    { "filter", 'f', 0, G_OPTION_ARG_STRING_ARRAY, &parsed.filters,
      "Only rows whose VAR contains VALUE; several must all match", "VAR=VALUE" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &parsed.json, "Print JSON", NULL },
    { "noheading", 'n', 0, G_OPTION_ARG_NONE, &parsed.no_heading, "Print no heading", NULL },
    { "no-trunc", 0, 0, G_OPTION_ARG_NONE, &parsed.no_trunc, "Shorten nothing", NULL },
    { "quiet", 'q', 0, G_OPTION_ARG_NONE, &parsed.quiet, "Print only ids", NULL },
  };
  g_autoptr (GArray) entries = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));

  g_array_append_vals (entries, options, G_N_ELEMENTS (options));
  for (; more != NULL && more->long_name != NULL; more++)
    g_array_append_vals (entries, more, 1);
  if (!atm_cli_parse ((const GOptionEntry *) (void *) entries->data, NULL, summary, 0, 0, &argc,
                      &argv, error))
    {
      g_strfreev (parsed.filters);
      return FALSE;
    }
  *options_out = parsed;
  return TRUE;
}

void
atm_table_init (AtmTable *table, const AtmColumn *columns, guint n_columns, guint id_column)
{
  table->columns = columns;
  table->n_columns = n_columns;
  table->id_column = id_column;
  table->rows = g_ptr_array_new ();
}

void
atm_table_clear (AtmTable *table)
{
  for (guint i = 0; table->rows != NULL && i < table->rows->len; i++)
    {
      char **row = table->rows->pdata[i];

      for (guint c = 0; c < table->n_columns; c++)
        g_free (row[c]);
      g_free (row);
    }
  g_clear_pointer (&table->rows, g_ptr_array_unref);
}

void
atm_table_add (AtmTable *table, char **cells)
{
  char **row = g_new (char *, table->n_columns);

  for (guint c = 0; c < table->n_columns; c++)
    row[c] = cells[c] != NULL ? cells[c] : g_strdup ("");
  g_ptr_array_add (table->rows, row);
}

/* ---- filters ---- */

typedef struct
{
  guint column;
  char *value; /* (owned): folded */
} Filter;

static void
filter_free (Filter *filter)
{
  g_free (filter->value);
  g_free (filter);
}

static gboolean
find_column (const AtmTable *table, const char *name, guint *column_out, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *list = NULL;

  for (guint c = 0; c < table->n_columns; c++)
    {
      g_auto (GStrv) names = NULL;

      if (table->columns[c].filters == NULL)
        continue;
      names = g_strsplit (table->columns[c].filters, ",", -1);
      if (g_strv_contains ((const char *const *) names, name))
        {
          *column_out = c;
          return TRUE;
        }
      for (guint i = 0; names[i] != NULL; i++)
        g_ptr_array_add (all, g_strdup_printf ("'%s'", names[i]));
    }
  g_ptr_array_add (all, NULL);
  list = g_strjoinv (", ", (char **) all->pdata);
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    "The filter %s is not valid.  Please choose from [%s]", name, list);
}

static gboolean
parse_filters (const AtmTable *table, char **texts, GPtrArray **filters_out, GError **error)
{
  g_autoptr (GPtrArray) filters = g_ptr_array_new_with_free_func ((GDestroyNotify) filter_free);

  for (guint i = 0; texts != NULL && texts[i] != NULL; i++)
    {
      const char *equals = strchr (texts[i], '=');
      g_autofree char *name
          = equals != NULL ? g_strndup (texts[i], (gsize) (equals - texts[i])) : NULL;
      Filter *filter = NULL;
      guint column = 0;

      if (name == NULL)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                          "The filter %s is not valid.  Expected form VAR=VALUE", texts[i]);
      if (!find_column (table, name, &column, error))
        return FALSE;
      filter = g_new0 (Filter, 1);
      filter->column = column;
      filter->value = g_utf8_casefold (equals + 1, -1);
      g_ptr_array_add (filters, filter);
    }
  *filters_out = g_steal_pointer (&filters);
  return TRUE;
}

static gboolean
row_matches (char **row, GPtrArray *filters)
{
  for (guint i = 0; i < filters->len; i++)
    {
      const Filter *filter = filters->pdata[i];
      g_autofree char *safe = g_utf8_make_valid (row[filter->column], -1);
      g_autofree char *folded = g_utf8_casefold (safe, -1);

      if (strstr (folded, filter->value) == NULL)
        return FALSE;
    }
  return TRUE;
}

/* ---- output ---- */

static void
add_words (JsonBuilder *builder, const char *cell)
{
  g_auto (GStrv) words = g_strsplit (cell, " ", -1);

  json_builder_begin_array (builder);
  for (guint i = 0; words[i] != NULL; i++)
    if (*words[i] != '\0')
      json_builder_add_string_value (builder, words[i]);
  json_builder_end_array (builder);
}

static void
print_json (const AtmTable *table, GPtrArray *rows)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) node = NULL;
  g_autofree char *text = NULL;

  json_builder_begin_array (builder);
  for (guint i = 0; i < rows->len; i++)
    {
      char **row = rows->pdata[i];

      json_builder_begin_object (builder);
      for (guint c = 0; c < table->n_columns; c++)
        {
          const AtmColumn *column = &table->columns[c];
          g_autofree char *valid = g_utf8_make_valid (row[c], -1);

          if (column->key == NULL)
            continue;
          json_builder_set_member_name (builder, column->key);
          if (column->type == ATM_COLUMN_STRING)
            json_builder_add_string_value (builder, valid);
          else if (column->type == ATM_COLUMN_BOOLEAN)
            json_builder_add_boolean_value (builder, g_str_equal (valid, "true"));
          else if (column->type == ATM_COLUMN_WORDS)
            add_words (builder, valid);
          else
            {
              json_builder_begin_object (builder);
              json_builder_end_object (builder);
            }
        }
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  node = json_builder_get_root (builder);
  text = atm_json_to_text (node, TRUE);
  g_print ("%s", text);
}

static char *
dup_shown (const AtmColumn *column, const char *cell, gboolean no_trunc)
{
  g_autofree char *safe = atm_text_escape (cell);

  if (no_trunc || column->width == 0 || g_utf8_strlen (safe, -1) <= (glong) column->width)
    return g_steal_pointer (&safe);
  return g_utf8_substring (safe, 0, column->width);
}

static void
append_cell (GString *line, const char *text, guint width)
{
  g_string_append (line, text);
  for (glong n = g_utf8_strlen (text, -1); n < (glong) width; n++)
    g_string_append_c (line, ' ');
  g_string_append_c (line, ' ');
}

static void
end_line (GString *text)
{
  while (text->len > 0 && text->str[text->len - 1] == ' ')
    g_string_truncate (text, text->len - 1);
  g_string_append_c (text, '\n');
}

/* The cells of a row as they are shown, of the columns that are. */
static char **
dup_shown_row (const AtmTable *table, char **row, gboolean no_trunc, guint *widths)
{
  char **shown = g_new0 (char *, table->n_columns + 1);

  for (guint c = 0; c < table->n_columns; c++)
    {
      const AtmColumn *column = &table->columns[c];

      shown[c] = column->title != NULL ? dup_shown (column, row[c], no_trunc) : g_strdup ("");
      widths[c] = MAX (widths[c], (guint) g_utf8_strlen (shown[c], -1));
    }
  return shown;
}

static void
append_row (GString *text, const AtmTable *table, char **shown, const guint *widths)
{
  for (guint c = 0; c < table->n_columns; c++)
    if (table->columns[c].title != NULL)
      append_cell (text, shown[c], widths[c]);
  end_line (text);
}

static void
print_text (const AtmTable *table, GPtrArray *rows, const AtmTableOptions *options)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GPtrArray) shown = g_ptr_array_new_with_free_func ((GDestroyNotify) g_strfreev);
  g_autofree guint *widths = g_new0 (guint, table->n_columns);
  g_autofree char **titles = g_new0 (char *, table->n_columns);

  for (guint c = 0; c < table->n_columns; c++)
    if (table->columns[c].title != NULL)
      {
        titles[c] = (char *) table->columns[c].title;
        widths[c] = MAX (table->columns[c].min_width, (guint) g_utf8_strlen (titles[c], -1));
      }
  for (guint i = 0; i < rows->len; i++)
    g_ptr_array_add (shown, dup_shown_row (table, rows->pdata[i], options->no_trunc, widths));

  if (!options->no_heading)
    append_row (text, table, titles, widths);
  for (guint i = 0; i < shown->len; i++)
    append_row (text, table, shown->pdata[i], widths);
  g_print ("%s", text->str);
}

gboolean
atm_table_print (const AtmTable *table, const AtmTableOptions *options, GError **error)
{
  g_autoptr (GPtrArray) filters = NULL;
  g_autoptr (GPtrArray) rows = g_ptr_array_new ();

  if (!parse_filters (table, options->filters, &filters, error))
    return FALSE;
  for (guint i = 0; i < table->rows->len; i++)
    if (row_matches (table->rows->pdata[i], filters))
      g_ptr_array_add (rows, table->rows->pdata[i]);

  if (options->quiet)
    for (guint i = 0; i < rows->len; i++)
      {
        g_autofree char *id
            = dup_shown (&table->columns[table->id_column],
                         ((char **) rows->pdata[i])[table->id_column], options->no_trunc);

        g_print ("%s\n", id);
      }
  else if (options->json)
    print_json (table, rows);
  else if (rows->len > 0)
    print_text (table, rows, options);
  return TRUE;
}
