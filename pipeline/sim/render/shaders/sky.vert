uniform mat4 rays;           // normalized device coordinates to directions
in vec2 corner;
out vec3 way;
void main() {
    way = (rays * vec4(corner, 1.0, 1.0)).xyz;
    gl_Position = vec4(corner, 1.0, 1.0);
}
