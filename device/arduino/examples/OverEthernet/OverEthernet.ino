/*
 * Over a network library of your choice: here Ethernet with a W5500, but any Client will do, such as one of TinyGSM or WiFiNINA.
 */
#include <Ethernet.h>
#include <SPI.h>
#include <USMP.h>

byte mac[] = {0x02, 0x00, 0x00, 0x00, 0x00, 0x01};

EthernetClient ethernet;
USMPClient usmp("your-psk-here-16+");

void setup() {
    Serial.begin(115200);
    while (Ethernet.begin(mac) == 0) Serial.println("no address by DHCP");

    // How long maintain() may block where the server does not answer; Ethernet's own value is 1000 ms.
    ethernet.setConnectionTimeout(500);
    usmp.setDeviceId(mac);
    if (!usmp.begin(USMP::Over(ethernet, IPAddress(192, 168, 1, 100)))) Serial.println(usmp.errorText());
    usmp.send("hello over ethernet");
}

void loop() {
    Ethernet.maintain(); // the lease
    usmp.maintain();
    if (usmp.available()) Serial.println(usmp.read());
}
