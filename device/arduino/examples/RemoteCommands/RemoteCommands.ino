/*
 * Commands from the server, each answered by one message: "led on", "led off", "read", "state". Type them where
 * `npx usmp serve` runs. Messages are taken by a callback; what is sent while there is no connection waits in the queue.
 */
#include <USMP.h>

USMPClient usmp("your-psk-here-16+");

struct Counters {
    unsigned long commands;
    unsigned long unknown;
};

Counters counters = {0, 0};

void setup() {
    Serial.begin(115200);
    pinMode(LED_BUILTIN, OUTPUT);

    usmp.onConnect(connected);
    usmp.onDisconnect(disconnected);
    usmp.onMessage(obey, &counters);
    usmp.keepalive(15000); // a server that has vanished is noticed after 75 s

    // Returns at once: maintain() does the rest, and loop() goes on meanwhile.
    if (!usmp.beginAsync(USMP::TCP("192.168.1.100").wifi("SSID", "password"))) Serial.println(usmp.errorText());
}

void loop() {
    usmp.maintain();
}

void connected(USMPClient &client, void *) {
    Serial.print("session ");
    Serial.println(client.sessionId());
}

void disconnected(USMPClient &client, void *) {
    Serial.println(client.errorText());
}

bool is(const uint8_t *message, size_t length, const char *command) {
    return length == strlen(command) && memcmp(message, command, length) == 0;
}

void obey(USMPClient &client, const uint8_t *message, size_t length, void *user) {
    Counters *counters = static_cast<Counters *>(user);
    counters->commands++;
    if (is(message, length, "led on")) {
        digitalWrite(LED_BUILTIN, HIGH);
        client.send("led is on");
    } else if (is(message, length, "led off")) {
        digitalWrite(LED_BUILTIN, LOW);
        client.send("led is off");
    } else if (is(message, length, "read")) {
        client.print("A0 ");
        client.println(analogRead(A0));
    } else if (is(message, length, "state")) {
        client.print(counters->commands);
        client.print(" commands, ");
        client.print(counters->unknown);
        client.println(" unknown");
    } else {
        counters->unknown++;
        client.send("what?");
    }
}
