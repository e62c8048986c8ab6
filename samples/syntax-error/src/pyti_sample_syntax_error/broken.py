"""Left behind by a merge."""

<<<<<<< ours
ANSWER = 42
=======
ANSWER = 54
>>>>>>> theirs
