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
  gboolean gnu_path; /* a header of GNU says it, too */
  gboolean gnu_link;
  gboolean global; /* a global header says more than a comment */
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

/* A global header speaks of all entries that follow, and libarchive does not listen. Mostly it is a
   comment; where it would change what an entry is, we do not guess. */
static gboolean
is_ignorable (const char *record, const char *end)
{
  const char *const keys[] = {
    "path=",         "linkpath=",         "size=",       "uid=", "gid=", "hdrcharset=",
    "SCHILY.xattr.", "LIBARCHIVE.xattr.", "GNU.sparse.",
  };

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++)
    if ((gsize) (end - record) >= strlen (keys[i])
        && memcmp (record, keys[i], strlen (keys[i])) == 0)
      return FALSE;
  return TRUE;
}

/* “LENGTH KEY=VALUE\n”, the length counting all of it (pax, POSIX.1-2017). */
static void
read_records (const char *at, const char *end, gboolean global, Names *names)
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
      if (global)
        names->global |= !is_ignorable (at, start + length - 1);
      else
        {
          take_value (at, start + length - 1, "path=", &names->path);
          take_value (at, start + length - 1, "GNU.sparse.name=", &names->sparse_name);
          take_value (at, start + length - 1, "linkpath=", &names->link);
        }
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
      names->gnu_path |= at[TYPE_OFFSET] == 'L';
      names->gnu_link |= at[TYPE_OFFSET] == 'K';
      if (strchr ("xg", at[TYPE_OFFSET]) != NULL)
        read_records ((const char *) at + BLOCK, (const char *) at + BLOCK + size,
                      at[TYPE_OFFSET] == 'g', names);
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

/* For libarchive the first header wins, for us pax does (registry.md 5.5, row 3). */
static gboolean
is_better (const char *raw, gboolean gnu, const char *name)
{
  return name != NULL && raw != NULL && (gnu || (is_composed (name) && is_same (raw, name)));
}

static void
restore_names (const Names *names, struct archive_entry *entry)
{
  const char *path = names->sparse_name != NULL ? names->sparse_name : names->path;

  if (is_better (names->link, names->gnu_link, archive_entry_symlink (entry)))
    archive_entry_copy_symlink (entry, names->link);
  if (is_better (names->link, names->gnu_link, archive_entry_hardlink (entry)))
    archive_entry_copy_hardlink (entry, names->link);
  if (is_better (path, names->gnu_path, archive_entry_pathname (entry)))
    archive_entry_copy_pathname (entry, path);
}

AtmPaxType
atm_pax_read (const guint8 *headers, gsize length, struct archive_entry *entry)
{
  g_auto (Names) names = { 0 };
  const guint8 *header = find_header (headers, length, &names);

  if (header == NULL)
    return ATM_PAX_TYPE_UNKNOWN;
  restore_names (&names, entry);
  if (names.global)
    return ATM_PAX_TYPE_GLOBAL;
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
