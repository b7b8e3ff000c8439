/** What the tests can do to the world of a sketch. */
#ifndef SHIM_H
#define SHIM_H

#include <stddef.h>
#include <stdint.h>

/** Time that goes on only when somebody waits, in microseconds. */
extern bool shimIsVirtual;
extern uint64_t shimNow;

/** Whether radio waves get through. */
extern bool shimAir;

/** The port of this machine where the server is. */
extern uint16_t shimServer;

/** In virtual time: the other end of TCP, in place of a socket. */
class ShimPeer {
  public:
    virtual ~ShimPeer() = default;
    /** @param ms how long it may take @return whether it is connected */
    virtual bool connect(unsigned long ms) = 0;
    virtual size_t send(const uint8_t *bytes, size_t length) = 0;
    virtual size_t receive(uint8_t *bytes, size_t room) = 0;
    virtual size_t available() = 0;
    virtual bool isOpen() = 0;
    virtual void stop() = 0;
};
extern ShimPeer *shimPeer;

/** How often Wi-Fi was begun. */
extern unsigned shimJoins;

/** As after a start: no network was joined. */
void shimForgetWifi();

bool shimIsReadable(int file);

/** setup() is over: what comes in on the input is for main.cpp, no longer typed into the console. */
extern bool shimLoops;

/** The other end of Serial1: a `serial+tcp` listener at the port that SHIM_LINE names. @return -1 for none */
int shimConnectLine();

#endif
