"""The methods of the API, generic over object types: a new object type is one declaration and no code here."""
