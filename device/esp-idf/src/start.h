/** From a configuration to a connection. */
#ifndef USMP_ESP_START_H
#define USMP_ESP_START_H

#include "handle.h"

/** As `usmp_esp_start`, without the task. */
esp_err_t start_make(const usmp_esp_config_t *config, usmp_esp_handle_t *handle);

/** Frees a connection that is not driven any more. */
void start_free(usmp_esp_handle_t handle);

#endif
