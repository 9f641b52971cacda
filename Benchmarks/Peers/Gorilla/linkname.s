// Lets a declaration without a body stand in this package.
