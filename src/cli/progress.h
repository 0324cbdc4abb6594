/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ops/report.h"

/* What operations report, printed: steps on stdout, notices on stderr, and while something long
   goes on a bar on stderr if that is a terminal. */

/**
 * atm_cli_report_init:
 * @report_out: (out caller-allocates): valid as long as the process
 */
void atm_cli_report_init (AtmReport *report_out);

/**
 * atm_cli_report_to_stderr:
 *
 * From here on steps go to stderr, too: stdout is for one JSON document.
 */
void atm_cli_report_to_stderr (AtmReport *report);
