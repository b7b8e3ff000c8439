/*
 * A sensor that wakes up, sends one message over UDP, waits until the server has it, and sleeps again for ten minutes.
 *
 *     npx usmp serve --listen udp://0.0.0.0:9000 --psk-file key.txt
 *
 * On an ESP8266 connect D0 (GPIO16) to RST: that is what wakes it. Where a board cannot sleep this deep it waits instead.
 */
#include <USMP.h>

USMPClient usmp("your-psk-here-16+");

const uint32_t pauseSeconds = 600;

void setup() {
    usmp.begin(USMP::UDP("192.168.1.100").wifi("SSID", "password"), 10000);

    usmp.print("battery ");
    usmp.println(analogRead(A0));

    // True when the server has acknowledged the message. What it has not is gone: the next one is newer.
    if (!usmp.close(5000)) Serial.println(usmp.errorText());
    goToSleep();
}

void loop() {
}

void goToSleep() {
#if defined(ARDUINO_ARCH_ESP32)
    esp_deep_sleep(pauseSeconds * 1000000ULL);
#elif defined(ARDUINO_ARCH_ESP8266)
    ESP.deepSleep(pauseSeconds * 1000000ULL);
#else
    delay(pauseSeconds * 1000UL);
    setup();
#endif
}
