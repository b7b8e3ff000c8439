#ifndef ESP_ATTR_H
#define ESP_ATTR_H

#define RTC_DATA_ATTR

#endif
