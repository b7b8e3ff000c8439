/*
 * A Mega 2560 without any network: its second serial port goes to a computer, which has the server on it.
 *
 *   TX1 (18) and RX1 (19) through a USB adapter for 5 V, RX to TX, and ground to ground; then on the computer
 *
 *     npm install usmp serialport
 *     npx usmp serve --listen 'serial:/dev/ttyUSB0?baud=115200' --psk-file key.txt --echo
 *
 * A Mega needs 8 s for one X25519 at 16 MHz, and each session needs two: it is connected 18 s after the start (26 s the very first
 * time, when it collects random numbers). Servers wait 30 s on serial lines. All the time in between loop() stands still.
 *
 * Serial1 has 64 bytes for what comes in: at 115,200 baud that is 5 ms. A loop() that takes longer loses bytes, and with them the
 * session. Slow down the line, or let the server send only what was asked for.
 */
#include <USMP.h>

USMPClient usmp("your-psk-here-16+");

const unsigned long interval = 10000; // ms
unsigned long lastReport = 0;
bool ledIsOn = false;

void setup() {
    pinMode(LED_BUILTIN, OUTPUT);
    Serial.begin(115200); // the monitor; the line of the session is another one
    Serial1.begin(115200);

    usmp.onConnect(greet);
    if (!usmp.begin(USMP::UART(Serial1))) Serial.println(usmp.errorText());
}

void loop() {
    usmp.maintain();

    if (usmp.available()) handle(usmp.read());

    if (usmp.connected() && millis() - lastReport >= interval) {
        lastReport = millis();
        usmp.print("A0 ");
        usmp.println(analogRead(A0));
    }
}

void greet(USMPClient &client, void *) {
    Serial.print("connected as ");
    Serial.println(client.deviceId());
    client.send("hello from mega");
}

void handle(const String &message) {
    if (message == "rekey") usmp.rekey();
    if (message == "led") digitalWrite(LED_BUILTIN, (ledIsOn = !ledIsOn) ? HIGH : LOW);
    Serial.println(message);
}
