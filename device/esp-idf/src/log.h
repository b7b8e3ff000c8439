/** The log of this component. To be included before anything that includes esp_log.h. */
#ifndef USMP_ESP_LOG_H
#define USMP_ESP_LOG_H

#include "sdkconfig.h"

#ifndef LOG_LOCAL_LEVEL
#define LOG_LOCAL_LEVEL CONFIG_USMP_LOG_LEVEL
#endif

#include "esp_log.h"

#define TAG "usmp"

#endif
