DELETE FROM U&"!006frders" UESCAPE '!'.daily;
