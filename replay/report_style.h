/* How report.html looks: light and dark, on a phone, on a desk, on paper. */
#ifndef IFSWARM_REPLAY_REPORT_STYLE_H
#define IFSWARM_REPLAY_REPORT_STYLE_H

extern const char *const report_style;

#endif
