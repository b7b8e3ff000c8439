/* A password that the access point of the tests refuses. */
#include <USMP.h>

USMPClient usmp("your-psk-here-16+");

void setup() {
    Serial.begin(115200);
    if (!usmp.begin(USMP::TCP("192.168.1.100").wifi("SSID", "wrong"), 300)) Serial.println(usmp.errorText());
}

void loop() {
    usmp.maintain();
}
