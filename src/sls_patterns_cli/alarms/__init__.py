"""When an alarm of CloudWatch goes off: its rules, applied to the values of metrics.

Nothing here calls AWS, or knows the catalogue or the emulator. `template` reads alarms as
CloudFormation has them, `evaluation` tells in which minute a state changes, `composite` does so for
alarms on alarms, `expression` computes metric math, and `series` makes periods of values. `syntax`
reads metric math and the rules of composite alarms.
"""
