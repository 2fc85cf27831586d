"""The counseling service around the call: people's register, duty, crisis help, complaints."""
