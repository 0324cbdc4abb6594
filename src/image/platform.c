/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/platform.h"

#include <fcntl.h>
#include <string.h>
#include <sys/utsname.h>

#include "util/fd.h"

#define CPUINFO_MAX_BYTES (4 * 1024 * 1024)

/* What the program was built for, not what the kernel is: a 32-bit system may run on a 64-bit
   kernel, whose uname() promises more than its user space holds. */
#if defined(__x86_64__)
#define BUILT_FOR "amd64"
#elif defined(__i386__)
#define BUILT_FOR "386"
#elif defined(__aarch64__)
#define BUILT_FOR "arm64"
#elif defined(__arm__)
#define BUILT_FOR "arm"
#elif defined(__powerpc64__) && G_BYTE_ORDER == G_LITTLE_ENDIAN
#define BUILT_FOR "ppc64le"
#elif defined(__s390x__)
#define BUILT_FOR "s390x"
#elif defined(__riscv) && __SIZEOF_POINTER__ == 8
#define BUILT_FOR "riscv64"
#elif defined(__mips64) && G_BYTE_ORDER == G_LITTLE_ENDIAN
#define BUILT_FOR "mips64le"
#elif defined(__loongarch64)
#define BUILT_FOR "loong64"
#else
#define BUILT_FOR NULL
#endif

static const char *const arm_variants[] = { "v8", "v7", "v6", "v5", NULL };
static const char *const arm64_variants[] = { "v8", NULL };

const char *
atm_platform_arm_variant (const char *cpuinfo)
{
  g_auto (GStrv) lines = g_strsplit (cpuinfo, "\n", -1);
  gboolean armv6_model = FALSE;
  const char *architecture = NULL;

  for (guint i = 0; lines[i] != NULL; i++)
    {
      char *colon = strchr (lines[i], ':');
      const char *value = NULL;

      if (colon == NULL)
        continue;
      *colon = '\0';
      value = g_strstrip (colon + 1);
      g_strchomp (lines[i]);
      if (architecture == NULL && g_ascii_strcasecmp (lines[i], "CPU architecture") == 0)
        architecture = value;
      else if (g_ascii_strcasecmp (lines[i], "model name") == 0
               && g_str_has_prefix (value, "ARMv6-compatible"))
        armv6_model = TRUE;
    }

  if (architecture == NULL)
    return NULL;
  if (g_str_equal (architecture, "8") || g_ascii_strcasecmp (architecture, "AArch64") == 0)
    return "v8";
  /* The first Raspberry Pi says 7 and has a core of version 6. */
  if (architecture[0] == '7')
    return armv6_model ? "v6" : "v7";
  if (architecture[0] == '6')
    return "v6";
  if (architecture[0] == '5')
    return "v5";
  return NULL;
}

static char *
read_arm_variant (void)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *text = NULL;
  gsize length = 0;
  gconstpointer data = NULL;

  if (!atm_read_file_at (AT_FDCWD, "/proc/cpuinfo", FALSE, CPUINFO_MAX_BYTES, &bytes, NULL))
    return NULL;
  data = g_bytes_get_data (bytes, &length);
  text = g_strndup (data, length);
  return g_strdup (atm_platform_arm_variant (text));
}

AtmPlatform *
atm_platform_new_host (void)
{
  AtmPlatform *platform = g_new0 (AtmPlatform, 1);
  struct utsname names;

  platform->os = g_strdup ("linux");
  platform->architecture = g_strdup (BUILT_FOR);
  if (platform->architecture == NULL)
    platform->architecture = g_strdup (uname (&names) == 0 ? names.machine : "unknown");
  if (g_str_equal (platform->architecture, "arm64"))
    platform->variant = g_strdup ("v8");
  else if (g_str_equal (platform->architecture, "arm"))
    platform->variant = read_arm_variant ();
  return platform;
}

void
atm_platform_free (AtmPlatform *platform)
{
  if (platform == NULL)
    return;
  g_free (platform->os);
  g_free (platform->architecture);
  g_free (platform->variant);
  g_free (platform);
}

char *
atm_platform_to_string (const AtmPlatform *platform)
{
  const char *variant = platform->variant != NULL ? platform->variant : "";

  return g_strconcat (platform->os, "/", platform->architecture, *variant != '\0' ? "/" : "",
                      variant, NULL);
}

char **
atm_platform_dup_variants (const AtmPlatform *platform)
{
  g_autoptr (GStrvBuilder) variants = g_strv_builder_new ();
  const char *const none[] = { NULL };
  const char *const *compatible = none;
  gboolean wanted = platform->variant != NULL && *platform->variant != '\0';

  if (g_str_equal (platform->architecture, "arm"))
    compatible = arm_variants;
  else if (g_str_equal (platform->architecture, "arm64"))
    compatible = arm64_variants;

  if (!wanted)
    {
      g_strv_builder_add (variants, "");
      g_strv_builder_addv (variants, (const char **) compatible);
      return g_strv_builder_end (variants);
    }

  g_strv_builder_add (variants, platform->variant);
  for (gboolean less = FALSE; *compatible != NULL; compatible++)
    {
      if (less)
        g_strv_builder_add (variants, *compatible);
      less = less || g_str_equal (*compatible, platform->variant);
    }
  g_strv_builder_add (variants, "");
  return g_strv_builder_end (variants);
}
