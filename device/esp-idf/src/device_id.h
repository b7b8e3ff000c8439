/** Who this device is where the program does not say it. */
#ifndef USMP_ESP_DEVICE_ID_H
#define USMP_ESP_DEVICE_ID_H

#include "usmp_esp.h"

/** The base MAC address; on the target linux a random one that is kept in this namespace of NVS, as long as that lasts. */
esp_err_t device_id_default(uint8_t id[USMP_ESP_DEVICE_ID_LENGTH], const char *nvs_namespace);

#endif
