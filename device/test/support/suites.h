/** The suites of the unit tests: one for each file of the core, and those that need more than one. */
#ifndef SUITES_H
#define SUITES_H

void connection_suite(void);
void vectors_suite(void);

#endif
