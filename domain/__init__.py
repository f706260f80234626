"""The rules of Events-Face and the history they decide from. Imports none of the other rooms."""
