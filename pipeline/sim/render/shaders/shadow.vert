// Flattens an actor onto the ground, away from the sun.
uniform mat4 camera;
uniform vec3 sun;
void main() {
    vec3 p = placed();
    p.xy -= sun.xy * (max(p.z, 0.0) / sun.z);
    gl_Position = camera * vec4(p.xy, 0.0, 1.0);
}
