"""The sub-commands, one file each: its options and its body."""
