/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ops/report.h"

/* What operations report, printed: steps on stdout, notices on stderr. While something long goes on
   there is a bar for each blob and one for all of them on stderr if that is a terminal, else a line
   now and then, so that a job in a log shows signs of life. */

/**
 * atm_cli_report_init:
 * @report_out: (out caller-allocates): valid as long as the process, for any thread
 */
void atm_cli_report_init (AtmReport *report_out);

/* Takes the bars off the terminal: nothing goes on any more. */
void atm_cli_report_end (const AtmReport *report);
