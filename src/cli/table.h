/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Tables: lists that are printed as text or as JSON from one description (command.md 2.4, 2.6). */

typedef enum
{
  ATM_COLUMN_STRING,
  ATM_COLUMN_BOOLEAN, /* a cell is “true” or anything else */
  ATM_COLUMN_OBJECT,  /* an empty object in JSON, not in text */
  ATM_COLUMN_WORDS    /* a cell has words separated by blanks; an array of strings in JSON */
} AtmColumnType;

typedef struct
{
  const char *title;   /* heading; %NULL: in JSON only */
  const char *key;     /* member; %NULL: in text only */
  const char *filters; /* names for --filter, separated by commas; %NULL: none */
  AtmColumnType type;
  guint width;     /* characters that are shown of a cell; 0: all */
  guint min_width; /* of the column */
} AtmColumn;

/* A row has one cell for each column: strings (owned), untrusted; %NULL is "". */
typedef struct
{
  const AtmColumn *columns; /* (borrowed) */
  guint n_columns;
  guint id_column; /* what --quiet prints */
  GPtrArray *rows; /* (owned) (element-type char *[n_columns]) */
} AtmTable;

/* The options that all lists have. All (owned). */
typedef struct
{
  gboolean all;
  char **filters;
  gboolean json;
  gboolean no_heading;
  gboolean no_trunc;
  gboolean quiet;
} AtmTableOptions;

void atm_table_options_clear (AtmTableOptions *options);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmTableOptions, atm_table_options_clear)

/**
 * atm_table_parse_options:
 * @all: what --all means, for --help
 * @more: (nullable): options that only this list has
 * @error: %ATM_CLI_ERROR_USAGE
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_table_parse_options (const char *summary, const char *all, const GOptionEntry *more,
                                  int argc, char **argv, AtmTableOptions *options_out,
                                  GError **error);

void atm_table_init (AtmTable *table, const AtmColumn *columns, guint n_columns, guint id_column);
void atm_table_clear (AtmTable *table);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmTable, atm_table_clear)

/**
 * atm_table_add:
 * @cells: (array length=n_columns) (element-type utf8) (transfer full): the strings, not the array
 */
void atm_table_add (AtmTable *table, char **cells);

/**
 * atm_table_print:
 * @error: %G_IO_ERROR_INVALID_ARGUMENT for a filter that is not valid
 *
 * Prints the rows that all filters match. Text without rows is nothing at all; JSON is “[]”.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_table_print (const AtmTable *table, const AtmTableOptions *options, GError **error);
