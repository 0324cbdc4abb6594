/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "image/origin.h"
#include "store/store.h"
#include "trust/trace.h"

/**
 * atm_judge_find_origin:
 * @image: (borrowed): an image of the store
 * @origin_out: (out) (transfer full): where it came from, as far as policies are concerned
 * @error: %ATM_STORE_ERROR_UNSUPPORTED: the Python tool stored it under a name without a registry;
 *   %ATM_ORIGIN_ERROR, %ATM_NAME_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_judge_find_origin (const AtmStoredImage *image, AtmOrigin **origin_out,
                                GError **error);

/**
 * atm_judge_stored:
 * @image: (borrowed): an image of the store
 * @trace: (nullable): new or cleared; gets what was looked at
 * @verdict_out: (out) (transfer full): what today's policy says of it
 * @error: %ATM_TRUST_ERROR, or as atm_judge_find_origin()
 *
 * Asks the policy again, without a network, on what was stored with the image (trust.md 17); of an
 * image of a site that is also the site's commit with its signatures.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_judge_stored (const AtmSystem *system, const AtmStoredImage *image, AtmTrace *trace,
                           AtmVerdict **verdict_out, GCancellable *cancellable, GError **error);

/**
 * atm_judge_check_judgeable:
 * @image: (borrowed): an image of the store
 * @error: %ATM_STORE_ERROR_UNSUPPORTED: the Python tool stored it, and did not keep what
 *   atm_judge_stored() needs; %G_IO_ERROR_INVALID_DATA: its record is damaged
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_judge_check_judgeable (const AtmStoredImage *image, GError **error);

/**
 * atm_judge_check_downgrade:
 * @verdict: (borrowed): of the image that is to take the place of @stored
 * @stored: (borrowed) (nullable): what is stored under the same name
 * @trace: (borrowed): of @verdict; hears of a refusal
 * @error: %ATM_TRUST_ERROR_DOWNGRADE
 *
 * As atm_trust_check_downgrade().
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_judge_check_downgrade (const AtmVerdict *verdict, const AtmStoredImage *stored,
                                    AtmTrace *trace, GError **error);

/**
 * atm_judge_record:
 * @trace: (borrowed): of an image that somebody wants to pull or install
 *
 * Sends an entry about the decision to the journal of the host, if there is one; atomic(1) lists
 * the fields. Nothing is sent of an image that could not be judged.
 */
void atm_judge_record (const AtmTrace *trace);
