/*
 * A key that is not in the sketch: it is typed into the serial monitor once, and kept in NVS (ESP32) or EEPROM. The same firmware
 * goes on all devices; each has a key of its own, which the server knows by the device id that is printed:
 *
 *     npx usmp keygen                                                      makes a key
 *     npx usmp serve --keys keys.json                                      { "24:6f:28:aa:bb:cc": "the key", … }
 */
#include <USMP.h>
#include <USMPKeyStore.h>

USMPClient usmp;
USMP::KeyStore keys;

void setup() {
    Serial.begin(115200);
    if (!keys.load()) askForKey();
    usmp.setKey(keys.key(), keys.length());

    if (!usmp.begin(USMP::TCP("192.168.1.100").wifi("SSID", "password"))) Serial.println(usmp.errorText());
    Serial.println(usmp.deviceId());
}

void loop() {
    usmp.maintain();
    if (usmp.available()) Serial.println(usmp.read());
}

void askForKey() {
    static char line[USMP::KeyStore::maxLength + 2]; // room for one too many: that is refused, not cut
    do {
        Serial.println("key, 16 to 64 characters?");
        readLine(line, sizeof line);
    } while (!keys.save(line));
    memset(line, 0, sizeof line);
}

void readLine(char *line, size_t size) {
    size_t length = 0;
    for (;;) {
        int next = Serial.read();
        if (next == '\n' || next == '\r') break;
        if (next >= 0 && length < size - 1) line[length++] = (char)next;
        if (next < 0) delay(1);
    }
    line[length] = 0;
}
