/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "image/origin.h"
#include "image/source.h"

/* Docker daemons: images in the storage of the one on this host, asked for over its UNIX socket
   (registry.md 6.3). Podman's socket speaks the same. */

/**
 * atm_daemon_open:
 * @origin: (borrowed): of %ATM_TRANSPORT_DOCKER_DAEMON
 * @docker_host: (nullable): the variable DOCKER_HOST: “unix:///PATH”; %NULL or “”:
 *   /run/docker.sock
 * @temporary_dir: (borrowed): the image is copied into a temporary file there, as a Docker archive
 * @source_out: (out) (transfer full): the image; the daemon is asked when the manifest is, and then
 *   for everything
 * @error: %ATM_ORIGIN_ERROR_UNSUPPORTED: @docker_host is no UNIX socket. Later:
 *   %ATM_SOURCE_ERROR_UNREACHABLE, %ATM_SOURCE_ERROR_DENIED, %ATM_SOURCE_ERROR_NOT_FOUND,
 *   %ATM_SOURCE_ERROR_PROTOCOL (also: the stream was cut off), and as
 *   atm_docker_archive_open()
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_daemon_open (const AtmOrigin *origin, const char *docker_host,
                          const char *temporary_dir, AtmSource **source_out, GError **error);
