"""Design rules of a Program: small functions whose name heads the error that they raise."""
