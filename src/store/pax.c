/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/pax.h"

#include <string.h>

#define BLOCK 512
#define SIZE_OFFSET 124
#define SIZE_DIGITS 12
#define TYPE_OFFSET 156

typedef struct
{
  char *path;        /* (owned) (nullable) */
  char *sparse_name; /* (owned) (nullable): of a sparse file, where path is made up */
  char *link;        /* (owned) (nullable) */
} Names;

static void
names_clear (Names *names)
{
  g_free (names->path);
  g_free (names->sparse_name);
  g_free (names->link);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Names, names_clear)

static void
take_value (const char *record, const char *end, const char *key, char **value_out)
{
  const gsize length = strlen (key);

  if ((gsize) (end - record) < length || memcmp (record, key, length) != 0)
    return;
  g_free (*value_out);
  *value_out = g_strndup (record + length, (gsize) (end - record) - length);
}

/* “LENGTH KEY=VALUE\n”, the length counting all of it (pax, POSIX.1-2017). */
static void
read_records (const char *at, const char *end, Names *names)
{
  while (at < end)
    {
      const char *start = at;
      gsize length = 0;

      while (at < end && g_ascii_isdigit (*at) && length <= (gsize) (end - start))
        length = 10 * length + (gsize) g_ascii_digit_value (*at++);
      if (at == end || *at != ' ' || length > (gsize) (end - start)
          || length < (gsize) (at - start) + 2)
        return;
      at++;
      take_value (at, start + length - 1, "path=", &names->path);
      take_value (at, start + length - 1, "GNU.sparse.name=", &names->sparse_name);
      take_value (at, start + length - 1, "linkpath=", &names->link);
      at = start + length;
    }
}

/* Octal, or base 256 (GNU); too large a number is %G_MAXUINT64. */
static guint64
read_size (const guint8 *header)
{
  const guint8 *field = header + SIZE_OFFSET;
  char digits[SIZE_DIGITS + 1] = { 0 };
  guint64 size = 0;

  if ((field[0] & 0x80) == 0)
    {
      memcpy (digits, field, SIZE_DIGITS);
      return g_ascii_strtoull (digits, NULL, 8);
    }
  for (guint i = SIZE_DIGITS - sizeof size; i < SIZE_DIGITS; i++)
    size = size << 8 | field[i];
  return (field[0] & 0x7f) == 0 && field[1] == 0 && field[2] == 0 && field[3] == 0 ? size
                                                                                   : G_MAXUINT64;
}

/* Whether a header only says more of the one that follows it. */
static gboolean
is_extension (const guint8 *header)
{
  return header[TYPE_OFFSET] != '\0' && strchr ("xgLKVXA", header[TYPE_OFFSET]) != NULL;
}

/* Goes to the last header of an entry. NULL: it is not among the bytes that are there. */
static const guint8 *
find_header (const guint8 *at, gsize left, Names *names)
{
  while (left >= BLOCK && is_extension (at))
    {
      guint64 size = read_size (at);

      if (size > left - BLOCK)
        return NULL;
      if (at[TYPE_OFFSET] == 'x' && names != NULL)
        read_records ((const char *) at + BLOCK, (const char *) at + BLOCK + size, names);
      size = MIN (BLOCK + (size + BLOCK - 1) / BLOCK * BLOCK, left);
      at += size;
      left -= size;
    }
  return left >= BLOCK ? at : NULL;
}

static gboolean
is_same (const char *raw, const char *name)
{
  g_autofree char *raw_composed = NULL, *name_composed = NULL;

  if (raw == NULL || !g_utf8_validate (raw, -1, NULL))
    return FALSE;
  raw_composed = g_utf8_normalize (raw, -1, G_NORMALIZE_NFC);
  name_composed = g_utf8_normalize (name, -1, G_NORMALIZE_NFC);
  return g_strcmp0 (raw_composed, name_composed) == 0;
}

static gboolean
is_composed (const char *name)
{
  return name != NULL && !g_str_is_ascii (name) && g_utf8_validate (name, -1, NULL);
}

void
atm_pax_restore_names (const guint8 *headers, gsize length, struct archive_entry *entry)
{
  const char *path = archive_entry_pathname (entry);
  const char *symlink = archive_entry_symlink (entry);
  const char *hardlink = archive_entry_hardlink (entry);
  g_auto (Names) names = { 0 };

  if (!is_composed (path) && !is_composed (symlink) && !is_composed (hardlink))
    return;
  (void) find_header (headers, length, &names);
  if (is_composed (symlink) && is_same (names.link, symlink))
    archive_entry_copy_symlink (entry, names.link);
  if (is_composed (hardlink) && is_same (names.link, hardlink))
    archive_entry_copy_hardlink (entry, names.link);
  if (is_composed (path) && is_same (names.sparse_name, path))
    archive_entry_copy_pathname (entry, names.sparse_name);
  else if (is_composed (path) && is_same (names.path, path))
    archive_entry_copy_pathname (entry, names.path);
}

AtmPaxType
atm_pax_get_type (const guint8 *headers, gsize length)
{
  const guint8 *header = find_header (headers, length, NULL);

  if (header == NULL)
    return ATM_PAX_TYPE_UNKNOWN;
  switch (header[TYPE_OFFSET])
    {
    case '\0':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case 'S': /* sparse */
      return ATM_PAX_TYPE_KNOWN;
    case 's':
      return ATM_PAX_TYPE_SOCKET;
    case 'D': /* GNU: what was in a folder at the time of an incremental dump */
    case 'M': /* GNU: the rest of a file of another volume */
    case 'N': /* GNU, long ago: names to be changed afterwards */
      return ATM_PAX_TYPE_VENDOR;
    default:
      return ATM_PAX_TYPE_UNKNOWN;
    }
}
