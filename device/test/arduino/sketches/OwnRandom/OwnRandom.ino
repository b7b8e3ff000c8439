/* Random numbers of the sketch's own: first none, then some. */
#include <USMP.h>

USMPClient usmp("your-psk-here-16+");

bool isReady = false;
unsigned long asked = 0;

void setup() {
    USMP::TCP server = USMP::TCP("192.168.1.100").wifi("SSID", "password");
    if (!usmp.begin(server, 2000)) Serial.println(usmp.errorText());
    isReady = true;
    if (usmp.begin(server)) {
        usmp.print("asked ");
        usmp.println(asked);
    }
}

void loop() {
    usmp.maintain();
}

bool usmp_random(uint8_t *out, size_t length) {
    asked++;
    for (size_t i = 0; i < length; i++) out[i] = (uint8_t)shimRandom();
    return isReady;
}
