"""Commands on another machine: `-H NAME` runs the command there by ssh, as if that machine were this one."""
