/** The suites of the unit tests: one for each file of the core, and those that need more than one. */
#ifndef SUITES_H
#define SUITES_H

/* What is inside of the core. */
void arq_suite(void);
void cobs_suite(void);
void crc16_suite(void);
void datagram_connection_suite(void);
void endpoint_suite(void);
void frame_suite(void);
void handshake_suite(void);
void key_schedule_suite(void);
void message_suite(void);
void rate_limit_suite(void);
void record_suite(void);
void replay_suite(void);
void utack_suite(void);

/* What its users see. */
void closing_suite(void);
void connection_suite(void);
void crypto_failures_suite(void);
void deadlines_suite(void);
void datagram_networks_suite(void);
void errors_suite(void);
void messages_suite(void);
void rekey_suite(void);
void sequence_end_suite(void);
void serial_connection_suite(void);
void stream_connection_suite(void);
void vectors_suite(void);

#endif
