#include "device_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "usmp/crypto.h"

bool device_id_parse(uint8_t id[USMP_DEVICE_ID_LENGTH], const char *text)
{
    if (strlen(text) != DEVICE_ID_TEXT - 1) return false;
    for (size_t i = 0; i < USMP_DEVICE_ID_LENGTH; i++, text += 3) {
        if (strspn(text, "0123456789abcdefABCDEF") != 2) return false;
        if (text[2] != (i + 1 < USMP_DEVICE_ID_LENGTH ? ':' : '\0')) return false;
        id[i] = (uint8_t)strtoul(text, NULL, 16);
    }
    return true;
}

bool device_id_invent(uint8_t id[USMP_DEVICE_ID_LENGTH])
{
    if (!usmp_crypto_random(id, USMP_DEVICE_ID_LENGTH)) return false;
    id[0] = (uint8_t)((id[0] & 0xFCu) | 0x02u);
    return true;
}

void device_id_format(char text[DEVICE_ID_TEXT], const uint8_t id[USMP_DEVICE_ID_LENGTH])
{
    (void)snprintf(text, DEVICE_ID_TEXT, "%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)id[0], (unsigned)id[1], (unsigned)id[2],
                   (unsigned)id[3], (unsigned)id[4], (unsigned)id[5]);
}
