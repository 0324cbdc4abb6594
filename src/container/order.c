/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/order.h"

#include <string.h>

/* Who waits for whom: waits[i * n + j]: i starts after j. */
typedef struct
{
  const char *const *names;
  guint n_names;
  gboolean *waits;
} Order;

static gboolean
find_name (const Order *order, const char *unit, guint *index_out)
{
  gsize length = strlen (unit);

  if (!g_str_has_suffix (unit, ".service"))
    return FALSE;
  length -= strlen (".service");
  for (guint i = 0; i < order->n_names; i++)
    if (strlen (order->names[i]) == length && strncmp (order->names[i], unit, length) == 0)
      {
        *index_out = i;
        return TRUE;
      }
  return FALSE;
}

static void
add_words (Order *order, guint self, const char *words, gboolean after)
{
  g_auto (GStrv) units = g_strsplit_set (words, " \t", -1);
  guint other = 0;

  for (char **unit = units; *unit != NULL; unit++)
    if (find_name (order, *unit, &other) && other != self)
      order->waits[after ? self * order->n_names + other : other * order->n_names + self] = TRUE;
}

static void
read_line (Order *order, guint self, const char *line)
{
  g_auto (GStrv) parts = g_strsplit (line, "=", 2);
  const char *key = parts[0] != NULL ? g_strstrip (parts[0]) : "";

  if (parts[0] == NULL || parts[1] == NULL)
    return;
  if (g_str_equal (key, "After"))
    add_words (order, self, parts[1], TRUE);
  else if (g_str_equal (key, "Before"))
    add_words (order, self, parts[1], FALSE);
}

/* A line that ends with “\” goes on in the next one (systemd.syntax(7)). The section is not looked
   at: neither key exists in another one. */
static void
read_unit (Order *order, guint self, GBytes *unit)
{
  gsize size = g_bytes_get_size (unit);
  g_autofree char *text
      = size > 0 ? g_strndup (g_bytes_get_data (unit, NULL), size) : g_strdup ("");
  g_auto (GStrv) lines = g_strsplit (text, "\n", ATM_ORDER_LINES_MAX);
  g_autoptr (GString) line = g_string_new (NULL);

  for (char **part = lines; *part != NULL; part++)
    {
      const char *begin = *part + strspn (*part, " \t");

      if (*begin == '#' || *begin == ';')
        continue;
      g_string_append (line, begin);
      if (line->len > 0 && line->str[line->len - 1] == '\\')
        {
          line->str[line->len - 1] = ' ';
          continue;
        }
      read_line (order, self, line->str);
      g_string_truncate (line, 0);
    }
}

static gboolean
is_ready (const Order *order, const gboolean *done, guint self)
{
  for (guint i = 0; i < order->n_names; i++)
    if (order->waits[self * order->n_names + i] && !done[i])
      return FALSE;
  return TRUE;
}

guint *
atm_order_containers (const char *const *names, GBytes *const *units)
{
  guint n = g_strv_length ((char **) names);
  g_autofree gboolean *waits = g_new0 (gboolean, (gsize) n * n + 1);
  g_autofree gboolean *done = g_new0 (gboolean, n + 1);
  guint *indices = g_new0 (guint, n + 1);
  Order order = { names, n, waits };

  for (guint i = 0; i < n; i++)
    if (units[i] != NULL)
      read_unit (&order, i, units[i]);
  for (guint place = 0; place < n; place++)
    {
      guint next = n;

      for (guint i = 0; i < n && next == n; i++)
        if (!done[i] && is_ready (&order, done, i))
          next = i;
      for (guint i = 0; i < n && next == n; i++) /* a cycle */
        if (!done[i])
          next = i;
      done[next] = TRUE;
      indices[place] = next;
    }
  return indices;
}
