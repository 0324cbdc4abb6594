/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Programs of the host that we run: the OCI runtime, systemd-tmpfiles, systemd-analyze. */

#define ATM_TOOL_ERROR (atm_tool_error_quark ())
GQuark atm_tool_error_quark (void);

typedef enum
{
  ATM_TOOL_ERROR_MISSING, /* the program is not installed */
  ATM_TOOL_ERROR_FAILED   /* it ended with another status than 0; the message has its last line */
} AtmToolError;

/* What an OCI runtime can do. */
typedef struct
{
  gboolean has_pid_file; /* “run --pid-file” */
  gboolean no_cgroups;   /* it must be told to leave cgroups alone: crun on unified cgroups cannot
                            make one below the unit's (DESIGN section 9, cgroup) */
} AtmRuntime;

/* How long “--help” of a runtime may take. */
#define ATM_RUNTIME_PROBE_SEC 10

/**
 * atm_runtime_probe:
 * @path: absolute path of the runtime, untrusted; it is put into units, so blanks, quotes and what
 *   means something to systemd are %G_IO_ERROR_INVALID_ARGUMENT
 * @runtime_out: (out caller-allocates): a runtime whose help is not understood can do nothing,
 * which is no error (command.md 2.2: “--runtime=/bin/ls” is accepted)
 * @error: %ATM_TOOL_ERROR_MISSING: “Cannot install the container: the runtime PATH is not
 *   installed”
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_runtime_probe (const char *path, AtmRuntime *runtime_out, GCancellable *cancellable,
                            GError **error);

/**
 * atm_tmpfiles_create:
 * @path: a fragment of tmpfiles.d
 * @cancellable: ends the program, too
 * @error: %ATM_TOOL_ERROR, %G_IO_ERROR_CANCELLED
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_tmpfiles_create (const char *path, GCancellable *cancellable, GError **error);

/**
 * atm_tmpfiles_remove:
 *
 * `systemd-tmpfiles --remove`: what the fragment marks for removal (lines R, r, D).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_tmpfiles_remove (const char *path, GCancellable *cancellable, GError **error);

/* How long systemd may take to verify a unit; problems beyond so many are not told. */
#define ATM_UNIT_VERIFY_SEC 30
#define ATM_UNIT_PROBLEMS_MAX 32

/**
 * atm_unit_verify:
 * @path: absolute path of a file with the name that the unit will have, as in “NAME.service”; it
 *   need not be in a folder that systemd reads
 * @problems_out: (out) (transfer full) (array zero-terminated=1): what systemd's own verification
 *   says of this unit, in its words: unknown settings, programs that are missing, a cycle of the
 *   order with the units of the host; empty if nothing
 * @error: %ATM_TOOL_ERROR (%ATM_TOOL_ERROR_MISSING: no systemd-analyze; %ATM_TOOL_ERROR_FAILED: it
 *   took longer than %ATM_UNIT_VERIFY_SEC), %G_IO_ERROR_CANCELLED
 *
 * Nothing is loaded into the running manager. What it says of other units is left out, and settings
 * that it does not know and goes on without.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_unit_verify (const char *path, char ***problems_out, GCancellable *cancellable,
                          GError **error);
