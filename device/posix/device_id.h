/** Device ids (spec/protocol.md §3.1): six bytes, written `aa:bb:cc:dd:ee:ff`. */
#ifndef DEVICE_ID_H
#define DEVICE_ID_H

#include <stdbool.h>
#include <stdint.h>

#include "usmp/settings.h"

/** Its text, with the zero behind it. */
#define DEVICE_ID_TEXT 18

bool device_id_parse(uint8_t id[USMP_DEVICE_ID_LENGTH], const char *text);

/** A random one of those that no manufacturer hands out: locally administered, of one machine. False: there is no entropy. */
bool device_id_invent(uint8_t id[USMP_DEVICE_ID_LENGTH]);

void device_id_format(char text[DEVICE_ID_TEXT], const uint8_t id[USMP_DEVICE_ID_LENGTH]);

#endif
